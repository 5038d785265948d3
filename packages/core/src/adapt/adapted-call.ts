import type { Message, Usage } from '../protocol/messages.ts'
import { noUsage } from '../protocol/usage.ts'
import type { FlagContext } from '../run/flag-client.ts'
import type { RunResult } from '../run/run.ts'
import { refuse } from '../kit/checks.ts'
import { withOwnCallIds } from '../protocol/call-ids.ts'
import { readMessages } from '../protocol/read-messages.ts'
import { blocksOf } from '../reduce/history.ts'
import type { AdaptedInput, AdaptLoopOptions } from './adapt-options.ts'
import type { HandedOver, Handover } from './handed-over.ts'

/** What a legacy loop has answered, checked. */
export interface LegacyAnswer {
  /** What it added to the history it was given. */
  readonly messages: readonly Message[]
  readonly text: string
  readonly usage: Usage
}

/** One call of an adapted loop: the options, with the caller's `this` and arguments already applied. */
export interface AdaptedCall<R> {
  readonly args: readonly unknown[]
  /** Calls the legacy loop with the caller's arguments, untouched. */
  readonly legacy: () => Promise<R>
  /** Undefined without a handover by history. */
  readonly history: HistoryCall<R> | undefined
  readonly toInput: () => AdaptedInput
  readonly fromResult: (result: RunResult) => R | Promise<R>
  readonly context: () => FlagContext | undefined
  readonly useStreaming: () => boolean | undefined
}

/** A handover by history. */
export interface HistoryCall<R> {
  /** Calls the legacy loop so that it goes on from the history. */
  goOn(handed: HandedOver): Promise<R>
  /** Reads what the legacy loop returned. @throws MillraceError `invalid_option`, `invalid_messages` */
  read(value: R, handed: HandedOver): LegacyAnswer
}

/** Applies the caller's `this` and arguments to the options that take them. */
export function bindCall<This, Args extends unknown[], R>(
  options: AdaptLoopOptions<This, Args, R>,
  self: This,
  args: Args,
): AdaptedCall<R> {
  const { legacy, toInput, fromResult, context, useStreaming, handover } = options
  const byHistory = typeof handover === 'object' ? handover : undefined
  return {
    args,
    legacy: () => legacy.apply(self, args),
    history: byHistory && {
      goOn: (handed) => legacy.apply(self, byHistory.toArgs.apply(self, [handed, ...args])),
      read: (value, handed) => readAnswer(byHistory.fromLegacy.apply(self, [value, handed, ...args]), handed),
    },
    toInput: () => toInput.apply(self, args),
    fromResult: (result) => fromResult.apply(self, [result, ...args]),
    context: () => context?.apply(self, args),
    useStreaming: () => useStreaming?.apply(self, args),
  }
}

/** Checks what `fromLegacy` gave as the end of the history that was handed over. */
function readAnswer(
  { messages, text, usage = noUsage }: ReturnType<Handover<unknown, unknown[], unknown>['fromLegacy']>,
  { messages: handed }: HandedOver,
): LegacyAnswer {
  // Also catches an asynchronous function, whose promise has no text.
  if (typeof text !== 'string') refuse('fromLegacy().text', 'must be a string')
  // Without a conversation that was read from the caller's arguments, there is no history that these are the end of.
  if (handed.length === 0) return { messages: [], text, usage }
  const added = withOwnCallIds(messages, handed.flatMap(blocksOf))
  const whole = readMessages([...handed, ...added], 'fromLegacy().messages')
  return { messages: whole.slice(handed.length), text, usage }
}
