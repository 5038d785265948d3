import { defined } from '../kit/defined.ts'
import type { AgentCallbacks } from '../run/callbacks.ts'
import type { InputMessage } from '../protocol/messages.ts'
import type { FlagContext } from '../run/flag-client.ts'
import type { RunResult } from '../run/run.ts'
import type { AdaptedInput, AdaptLoopOptions } from './adapt-options.ts'

/** The common shape of a chat loop's arguments. */
export interface ChatLoopArgs {
  readonly userInput: string
  readonly conversationHistory: readonly InputMessage[]
  readonly callbacks?: AgentCallbacks
  readonly useStreaming?: boolean
  readonly signal?: AbortSignal
}

export interface ChatLoopPresetOptions<A extends ChatLoopArgs, R> {
  /** How a run's result becomes what the loop returns. */
  readonly fromResult: (result: RunResult, args: A) => R | Promise<R>
  /** The text of the answer in what the legacy loop returns. */
  readonly textOf: (result: R) => string
  /** The whole conversation in what the legacy loop returns, its history argument included. */
  readonly historyOf: (result: R) => readonly InputMessage[]
  /** Who asks, for the flags. */
  readonly context?: (args: A) => FlagContext
}

type PresetKeys = 'context' | 'fromResult' | 'handover' | 'legacyReports' | 'toInput' | 'useStreaming'

/**
 * The options of `adaptLoop` for a loop that takes `{ userInput, conversationHistory, callbacks, useStreaming }`, calls
 * those callbacks itself, and appends `userInput` to the history as a user message. Spread it into them.
 */
export function chatLoopPreset<A extends ChatLoopArgs, R>(
  options: ChatLoopPresetOptions<A, R>,
): Pick<AdaptLoopOptions<unknown, [A], R>, PresetKeys> {
  const { fromResult, textOf, historyOf, context } = options
  return {
    useStreaming: ({ useStreaming }) => useStreaming,
    context: (args) => context?.(args) ?? {},
    toInput: ({ userInput, conversationHistory, callbacks, signal }): AdaptedInput => ({
      messages: [...conversationHistory, { role: 'user', content: userInput }],
      ...defined({ callbacks, signal }),
    }),
    fromResult: (result, args) => fromResult(result, args),
    // The legacy loop calls the callbacks that it finds in its arguments.
    legacyReports: true,
    handover: {
      toArgs: ({ messages }, args) => [{ ...args, userInput: goOn, conversationHistory: messages }],
      fromLegacy: (result, { messages }) => {
        const history = historyOf(result)
        return { messages: history.slice(messages.length), text: textOf(result) }
      },
    },
  }
}

/** The loop appends a user message of its own, so it is given one that changes nothing. */
const goOn = 'Go on.'
