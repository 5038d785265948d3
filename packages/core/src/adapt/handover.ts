import { MillraceError } from '../kit/errors.ts'
import type { FallbackReason } from '../protocol/events.ts'
import { isFaultCode } from '../protocol/faults.ts'
import type { Message } from '../protocol/messages.ts'
import { addUsage } from '../protocol/usage.ts'
import type { PreparedRun } from '../run/prepared-run.ts'
import type { RunResult } from '../run/run.ts'
import type { LedgerEntry } from '../run/tool-ledger.ts'
import type { AdaptedCall } from './adapted-call.ts'
import { type AdaptedRun, type Driven, givenMessages } from './adapted-run.ts'
import type { HandedOver } from './handed-over.ts'
import { planHandover } from './handover-plan.ts'
import { withoutBeginning } from './legacy-answer.ts'
import {
  beginLegacyTurn,
  completedResult,
  emitLegacyText,
  readLegacyAnswer,
  silence,
  thrownResult,
} from './legacy-turn.ts'

/** Gives a failed run to the legacy loop, as far as that repeats neither a call nor a word. */
export async function handOver<R>(
  run: AdaptedRun<R>,
  call: AdaptedCall<R>,
  prepared: PreparedRun,
  result: RunResult,
): Promise<Driven<R>> {
  const { settings, handle, ledger, progress } = run
  const error = result.error ?? new MillraceError('internal', 'the run failed')
  const plan = planHandover(run, prepared.input, result, error)
  if ('error' in plan) return { result: { ...result, ...plan }, value: { from: 'result' } }
  const reason: FallbackReason = isFaultCode(error.code) ? error.code : 'internal'
  const turn = Math.max(result.turns, 1)
  const stage = progress.shown.blocks(turn).length > 0 ? 'after_output' : 'before_output'
  handle.report(error)
  handle.emit({ type: 'fallback', turn, from: progress.lastMode, to: 'legacy', reason, stage })
  try {
    await beginLegacyTurn(handle, turn + 1)
  } catch {
    // Its beginning could not be stored: after a crash another process would run the agent again, beside the legacy loop.
    return { result, value: { from: 'result' } }
  }
  // Only once there is something to show instead: if the legacy loop fails as well, what was said stays. The last turn
  // goes first, so that a consumer with one text for all turns takes each from its end.
  const toRetract = plan.retract.toReversed()
  const retract = (): void => {
    for (const retracted of toRetract.splice(0)) {
      handle.emit({ type: 'turn.retracted', turn: retracted, attempt: 1, fromBlock: 0, fromOffset: 0, reason })
    }
  }
  if (settings.legacyReports) {
    // The legacy loop writes where the caller's text stands, before we know its answer.
    retract()
    silence(handle, prepared.input)
  }

  const { newMessages = [] } = plan
  const handed: HandedOver = {
    runId: handle.runId,
    signal: handle.signal,
    messages: [...givenMessages(result), ...newMessages],
    newMessages,
    ledger,
    error,
  }
  const legacy = { run, call, result, handed, retract, turn: turn + 1, continues: plan.continues === true }
  try {
    return plan.newMessages === undefined ? await callAnew(legacy) : await goOn(legacy)
  } catch (cause) {
    const message = 'the run failed, and so did the legacy loop it was handed over to'
    return {
      result: thrownResult(result, message, cause, [handle.signal, ...call.args]),
      value: { from: 'thrown', error: cause },
    }
  }
}

/** What the legacy loop is called with in the end. */
interface LegacyCall<R> {
  readonly run: AdaptedRun<R>
  readonly call: AdaptedCall<R>
  /** How the run failed. */
  readonly result: RunResult
  readonly handed: HandedOver
  readonly retract: () => void
  /** The number of its turn. */
  readonly turn: number
  /** Whether it is asked to go on with an answer that broke. */
  readonly continues: boolean
}

/** Calls the legacy loop from its start. Its value is the caller's, untouched. */
async function callAnew<R>({ run, call, result, handed, retract, turn }: LegacyCall<R>): Promise<Driven<R>> {
  const { settings, handle, ledger } = run
  const { handover, scope } = settings
  const onReuse = ({ name, input, toolUseId, result: told, outcome }: LedgerEntry): void =>
    handle.emit({
      type: 'tool.finished',
      toolUseId,
      name,
      input,
      turn,
      result: told,
      outcome,
      durationMs: 0,
      reused: true,
    })
  const restarts = handover === 'restart' && scope !== undefined
  const value = await (restarts ? scope.run({ ledger, onReuse }, call.legacy) : call.legacy())
  const answer = readLegacyAnswer(call, value, handed, handle)
  retract()
  emitLegacyText(handle, turn, answer)
  const { messages: added, text } = answer
  const usage = addUsage(result.usage, answer.usage)
  const completed = completedResult(handle.runId, { given: givenMessages(result), added, text, usage, turns: turn })
  return { result: completed, value: { from: 'legacy', value } }
}

/** Calls the legacy loop with the history so far, and merges what it adds with what the run had. */
async function goOn<R>({ run, call, result, handed, retract, turn, continues }: LegacyCall<R>): Promise<Driven<R>> {
  const { handle } = run
  if (call.goOn === undefined || call.read === undefined) throw new TypeError('unreachable')
  const value = await call.goOn(handed)
  const given = call.read(value, handed)
  retract()
  const answer = continues ? withoutBeginning(given, handle.shown.answer) : given
  emitLegacyText(handle, turn, answer)
  const added: readonly Message[] = [...handed.newMessages, ...answer.messages]
  const text = handle.shown.answer
  const usage = addUsage(result.usage, answer.usage)
  const completed = completedResult(handle.runId, { given: givenMessages(result), added, text, usage, turns: turn })
  return { result: completed, value: { from: 'result' } }
}
