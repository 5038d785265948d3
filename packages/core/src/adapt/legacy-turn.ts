import { MillraceError } from '../kit/errors.ts'
import { isRecord } from '../kit/guards.ts'
import { checksum } from '../protocol/events.ts'
import { isBlank, type Message, type Usage } from '../protocol/messages.ts'
import { addUsage, noUsage } from '../protocol/usage.ts'
import { assistantMessage } from '../reduce/history.ts'
import type { RunHandle } from '../run/run-handle.ts'
import type { RunInput, RunResult } from '../run/run.ts'
import type { AdaptedCall, LegacyAnswer } from './adapted-call.ts'
import type { HandedOver } from './handed-over.ts'

/** Starts the legacy loop's turn, and makes that durable: a crash from here on must not run the agent again. */
export async function beginLegacyTurn(handle: RunHandle, turn: number): Promise<void> {
  handle.emit({ type: 'turn.started', turn, attempt: 1, mode: 'legacy' })
  await handle.flush()
}

/** Sends the legacy loop's answer as one turn with one text block. */
export function emitLegacyText(handle: RunHandle, turn: number, { text, usage }: LegacyAnswer): void {
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
 * Returns what a legacy loop answered that was called with its caller's arguments, as far as the options can tell. Never
 * throws, since the loop's value is the caller's anyway.
 */
export function readLegacyAnswer<R>(
  { read }: AdaptedCall<R>,
  value: R,
  handed: HandedOver,
  handle: RunHandle,
): LegacyAnswer {
  const text = typeof value === 'string' ? value : ''
  if (read === undefined) return { messages: handed.messages.length > 0 ? said(text) : [], text, usage: noUsage }
  try {
    return read(value, handed)
  } catch (cause) {
    handle.report(new MillraceError('callback_failed', 'fromLegacy failed', { cause }))
    return { messages: [], text: '', usage: noUsage }
  }
}

function said(text: string): readonly Message[] {
  return isBlank(text) ? [] : [assistantMessage([{ type: 'text', text }])]
}

/** From now on the legacy loop calls the callbacks itself; of our events it knows nothing. */
export function silence(handle: RunHandle, input: RunInput | undefined): void {
  handle.attach({ onEvent: (...args) => input?.callbacks?.onEvent?.(...args) }, input?.signal)
}

export interface Completed {
  readonly given: readonly Message[]
  readonly added: readonly Message[]
  readonly text: string
  /** Default: none. */
  readonly usage?: Usage
  /** Default: 1. */
  readonly turns?: number
}

/** Returns the result of a run that the legacy loop completed. */
export function completedResult(runId: string, completed: Completed): RunResult {
  const { given, added, text, usage = noUsage, turns = 1 } = completed
  return {
    runId,
    outcome: 'completed',
    stopReason: null,
    messages: [...given, ...added],
    newMessages: added,
    text,
    usage: addUsage(noUsage, usage),
    turns,
  }
}

/** Returns the result of a run whose legacy loop threw: cancelled, if a signal among `args` has aborted, else failed. */
export function thrownResult(result: RunResult, message: string, cause: unknown, args: readonly unknown[]): RunResult {
  const { error: _, ...rest } = result
  // Not by the error's name: a loop that gives up by itself may abort as well.
  if (args.some(isCancelled)) return { ...rest, outcome: 'interrupted' }
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
