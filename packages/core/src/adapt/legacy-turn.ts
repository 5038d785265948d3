import { asMillraceError, MillraceError } from '../kit/errors.ts'
import { isRecord } from '../kit/guards.ts'
import { checksum } from '../protocol/events.ts'
import { reasonOf } from '../protocol/faults.ts'
import { isBlank, type Message } from '../protocol/messages.ts'
import { addUsage, noUsage } from '../protocol/usage.ts'
import { assistantMessage } from '../reduce/history.ts'
import type { RunHandle } from '../run/run-handle.ts'
import type { RunInput, RunResult } from '../run/run.ts'
import type { LedgerEntry } from '../run/tool-ledger.ts'
import type { AdaptedCall, LegacyAnswer } from './adapted-call.ts'
import { type AdaptedRun, type Driven, emptyResult } from './adapted-run.ts'
import type { HandedOver } from './handed-over.ts'
import type { Begin } from './handover-plan.ts'
import { withoutBeginning } from './legacy-answer.ts'

/** What the legacy loop is called with. */
export interface LegacyCall<R> {
  readonly run: AdaptedRun<R>
  readonly call: AdaptedCall<R>
  /** The result of the run so far; with its error, if it failed before. */
  readonly soFar: RunResult
  readonly begin: Begin
  /** What the failed run was given: its callbacks fall silent if the legacy loop reports by itself. */
  readonly input?: RunInput
}

/** Calls the legacy loop for a turn of its own, and makes the run's result of its answer. Never rejects. */
export async function callLegacy<R>(legacy: LegacyCall<R>): Promise<Driven<R>> {
  const { run, call, soFar, begin, input } = legacy
  const { settings, handle } = run
  const { error, turns } = soFar
  const turn = error === undefined ? 1 : Math.max(turns, 1) + 1
  try {
    handle.emit({ type: 'turn.started', turn, attempt: 1, mode: 'legacy' })
    await handle.flush()
  } catch (cause) {
    // Its beginning could not be stored: after a crash another process would run the agent again, beside the legacy loop.
    return { result: { ...soFar, error: error ?? asMillraceError(cause) }, value: { from: 'result' } }
  }
  // Only once there is something to show instead: if the legacy loop fails as well, what was said stays. The last turn
  // goes first, so that a consumer with one text for all turns takes each from its end.
  const toRetract = begin.retract.toReversed()
  const retract = (): void => {
    const reason = error === undefined ? 'internal' : reasonOf(error)
    for (const retracted of toRetract.splice(0)) {
      handle.emit({ type: 'turn.retracted', turn: retracted, attempt: 1, fromBlock: 0, fromOffset: 0, reason })
    }
  }
  if (settings.legacyReports && input !== undefined) {
    // The legacy loop writes where the caller's text stands, before we know its answer.
    retract()
    silence(handle, input)
  }
  try {
    return await answer(legacy, turn, retract)
  } catch (cause) {
    const result = thrownResult(soFar, cause, [handle.signal, ...call.args])
    return { result, value: { from: 'thrown', error: cause } }
  }
}

async function answer<R>(
  { run, call, soFar, begin }: LegacyCall<R>,
  turn: number,
  retract: () => void,
): Promise<Driven<R>> {
  const { settings, handle, ledger } = run
  const { runId, signal, shown } = handle
  const { newMessages = [], continues = false } = begin
  const history = begin.newMessages && call.history
  const given = soFar.messages.slice(0, soFar.messages.length - soFar.newMessages.length)
  const handed = { runId, signal, messages: [...given, ...newMessages], newMessages, ledger, error: soFar.error }
  const onReuse = ({ name, input, toolUseId, result, outcome }: LedgerEntry): void => {
    const reused = { toolUseId, name, input, turn, result, outcome, durationMs: 0, reused: true } as const
    handle.emit({ type: 'tool.finished', ...reused })
  }
  const { handover, scope } = settings
  const restarts = handover === 'restart' && scope !== undefined && soFar.error !== undefined
  const start = restarts ? () => scope.run({ ledger, onReuse }, call.legacy) : call.legacy
  const value = await (history === undefined ? start() : history.goOn(handed))
  const read = history === undefined ? readAnew(call, value, handed, handle) : history.read(value, handed)
  retract()
  const said = continues ? withoutBeginning(read, shown.answer) : read
  emitText(handle, turn, said)
  const added: readonly Message[] = [...newMessages, ...said.messages]
  const result: RunResult = {
    ...emptyResult(runId, given),
    outcome: 'completed',
    messages: [...given, ...added],
    newMessages: added,
    text: history === undefined ? said.text : shown.answer,
    usage: addUsage(soFar.usage, said.usage),
    turns: turn,
  }
  return { result, value: history === undefined ? { from: 'legacy', value } : { from: 'result' } }
}

/** Sends the legacy loop's answer as one turn with one text block. */
function emitText(handle: RunHandle, turn: number, { text, usage }: LegacyAnswer): void {
  const place = { turn, attempt: 1, block: 0 }
  handle.batch(() => {
    if (!isBlank(text)) {
      handle.emit({ type: 'block.started', ...place, kind: 'text' })
      handle.emit({ type: 'text.delta', ...place, text })
      handle.emit({ type: 'block.finished', ...place, kind: 'text', length: text.length, checksum: checksum(text) })
    }
    const content = isBlank(text) ? [] : [{ type: 'text', text }]
    handle.emit({ type: 'turn.finished', turn, attempt: 1, mode: 'legacy', stopReason: null, usage, content })
  })
}

/**
 * Reads what a legacy loop answered that was called with its caller's arguments, as far as the options can tell. Never
 * throws, since the loop's value is the caller's anyway.
 */
function readAnew<R>(call: AdaptedCall<R>, value: R, handed: HandedOver, handle: RunHandle): LegacyAnswer {
  const text = typeof value === 'string' ? value : ''
  const isSaid = handed.messages.length > 0 && !isBlank(text)
  const messages = isSaid ? [assistantMessage([{ type: 'text', text }])] : []
  if (call.history === undefined) return { messages, text, usage: noUsage }
  try {
    return call.history.read(value, handed)
  } catch (cause) {
    handle.report(new MillraceError('callback_failed', 'fromLegacy failed', { cause }))
    return { messages: [], text: '', usage: noUsage }
  }
}

/** From now on the legacy loop calls the callbacks itself; of our events it knows nothing. */
export function silence(handle: RunHandle, input: RunInput | undefined): void {
  handle.attach({ onEvent: (...args) => input?.callbacks?.onEvent?.(...args) }, input?.signal)
}

/** Returns the result of a run whose legacy loop threw: cancelled, if a signal among `args` has aborted, else failed. */
function thrownResult(soFar: RunResult, cause: unknown, args: readonly unknown[]): RunResult {
  const { error, ...rest } = soFar
  // Not by the error's name: a loop that gives up by itself may abort as well.
  if (args.some(isCancelled)) return { ...rest, outcome: 'interrupted' }
  const message =
    error === undefined ? 'the legacy loop failed' : 'the run failed, and so did the legacy loop it was handed over to'
  return { ...rest, outcome: 'failed', error: new MillraceError('legacy_failed', message, { cause }) }
}

/** Whether an argument is, or has, a signal that has aborted. */
function isCancelled(arg: unknown): boolean {
  try {
    return isRecord(arg) && [arg, ...Object.values(arg)].some((each) => each instanceof AbortSignal && each.aborted)
  } catch {
    // A getter of the caller's threw.
    return false
  }
}
