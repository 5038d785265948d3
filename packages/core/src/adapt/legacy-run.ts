import { isBlank, type InputMessage, type Message } from '../protocol/messages.ts'
import { isRecord } from '../kit/guards.ts'
import { noUsage } from '../protocol/usage.ts'
import type { RunHandle } from '../run/create-run.ts'
import { MillraceError } from '../kit/errors.ts'
import { checksum, type TurnMode } from '../protocol/events.ts'
import { refuse } from '../kit/checks.ts'
import { withOwnCallIds } from '../protocol/call-ids.ts'
import { blocksOf } from '../reduce/history.ts'
import { readMessages } from '../protocol/read-messages.ts'
import type { RunInput, RunResult } from '../run/run.ts'
import type { ToolLedger } from '../run/tool-ledger.ts'

/** A half-done run, as the legacy loop is given it. */
export interface HandedOver {
  readonly runId: string
  /** Aborts when the run is interrupted; the legacy loop hears of it where `toArgs` hands it on. */
  readonly signal: AbortSignal
  /** The history so far, tool results included; it ends with a user message. */
  readonly messages: readonly Message[]
  /** Those of them that the run has added to its input. */
  readonly newMessages: readonly Message[]
  /** The calls that were executed. */
  readonly ledger: ToolLedger
  /** Why the run could not go on by itself; undefined where it never began to stream. */
  readonly error: MillraceError | undefined
}

/** How a half-done run goes to the legacy loop, and what it makes of it comes back. */
export interface Handover<This, Args extends unknown[], R> {
  /** The legacy loop's arguments, so that it goes on from `h.messages`. */
  readonly toArgs: (this: This, h: HandedOver, ...args: Args) => Args
  /** What the legacy loop added to `h.messages`, and the text of its answer. */
  readonly fromLegacy: (
    this: This,
    result: R,
    h: HandedOver,
    ...args: Args
  ) => { readonly messages: readonly InputMessage[]; readonly text: string }
}

/** What the adapted function's promise settles with. */
export type Settlement<R> = { readonly value: R } | { readonly error: unknown }

export interface Driven<R> {
  readonly result: RunResult
  readonly end: Settlement<R>
}

/** What a hand-over needs to know of the events that were passed on. */
export interface Relayed {
  /** Of which turns anything is shown, and whether there is text among it. */
  readonly shown: ReadonlyMap<number, boolean>
  readonly lastMode: TurnMode
  /** The number of the last turn that ended; 0 for none. */
  readonly finished: number
}

/** From now on the legacy loop calls the callbacks; of our events it knows nothing. */
export function silence(handle: RunHandle, input: RunInput | undefined): void {
  handle.attach({ onEvent: (...args) => input?.callbacks?.onEvent?.(...args) }, input?.signal)
}

/** The legacy loop's answer as one turn with one text block. */
export function emitLegacyText(handle: RunHandle, turn: number, text: string): void {
  const place = { turn, attempt: 1, block: 0 }
  if (!isBlank(text)) {
    handle.emit({ type: 'block.started', ...place, kind: 'text' })
    handle.emit({ type: 'text.delta', ...place, text })
    handle.emit({ type: 'block.finished', ...place, kind: 'text', length: text.length, checksum: checksum(text) })
  }
  const content = isBlank(text) ? [] : [{ type: 'text', text }]
  handle.emit({ type: 'turn.finished', turn, attempt: 1, mode: 'legacy', stopReason: null, usage: noUsage, content })
}

/** What the legacy loop added to the history it was handed, checked as its end. */
export function readLegacy<This, Args extends unknown[], R>(
  handover: Handover<This, Args, R>,
  self: This,
  args: Args,
  value: R,
  handed: HandedOver,
): { readonly messages: readonly Message[]; readonly text: string } {
  const { messages, text } = handover.fromLegacy.apply(self, [value, handed, ...args])
  // As of an asynchronous function, which gives a promise.
  if (typeof text !== 'string') refuse('fromLegacy().text', 'must be a string')
  const { length } = handed.messages
  // With nothing handed, the caller's arguments were never read as messages: there is no history that these are the end of.
  if (length === 0) return { messages: [], text }
  const added = withOwnCallIds(messages, handed.messages.flatMap(blocksOf))
  return { messages: readMessages([...handed.messages, ...added], 'fromLegacy().messages').slice(length), text }
}

/** What the legacy loop gave, as far as the caller's options can say. Never throws: its result is the caller's anyway. */
export function legacyAnswer<This, Args extends unknown[], R>(
  handover: Handover<This, Args, R> | 'restart' | undefined,
  self: This,
  args: Args,
  value: R,
  handed: HandedOver,
  handle: RunHandle,
): { readonly messages: readonly Message[]; readonly text: string } {
  if (typeof handover !== 'object') return { messages: [], text: typeof value === 'string' ? value : '' }
  try {
    return readLegacy(handover, self, args, value, handed)
  } catch (cause) {
    handle.report(new MillraceError('callback_failed', 'fromLegacy failed', { cause }))
    return { messages: [], text: '' }
  }
}

export function completedResult(
  runId: string,
  given: readonly Message[],
  added: readonly Message[],
  text: string,
): RunResult {
  return {
    runId,
    outcome: 'completed',
    stopReason: null,
    messages: [...given, ...added],
    newMessages: added,
    text,
    usage: noUsage,
    turns: 1,
  }
}

/** The legacy loop ended by a throw: it was cancelled, by a signal that has aborted among `args`, or it failed. */
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
    // A getter of the caller's.
    return false
  }
}

export function failedResult(runId: string, error: MillraceError): RunResult {
  return { ...completedResult(runId, [], [], ''), outcome: 'failed', error }
}
