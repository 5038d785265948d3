import type Anthropic from '@anthropic-ai/sdk'
import {
  type AdaptedLoop,
  adaptLoop,
  createAgent,
  defineTool,
  type FlagClient,
  type Retraction,
  type RunStore,
} from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { createAgentLoop, type LoopArgs, type LoopResult } from './agent-loop.ts'
import { stationCount, trackOrder, trackOrderDefinition } from './orders.ts'

const { name, description = '', input_schema: jsonSchema } = trackOrderDefinition

/** The same tool, which now reports its progress. */
const trackOrderTool = defineTool({
  name,
  description,
  inputSchema: { jsonSchema },
  readOnly: true,
  run: (input, { progress }) =>
    trackOrder(input, (message, index) => progress({ message, progress: index + 1, total: stationCount })),
})

export interface StreamingOptions {
  readonly client: Anthropic
  readonly model: string
  readonly flags: FlagClient
  /** Where runs are stored, so that clients can follow them again. Default: nowhere. */
  readonly runs?: RunStore
  /** What happens to shown text when a stream breaks. Default: `auto`. */
  readonly retraction?: Retraction
}

/** A drop-in replacement for the legacy loop, which also has events. */
export type StreamingLoop = AdaptedLoop<unknown, [LoopArgs], LoopResult>

/**
 * Wraps the legacy loop. By flag, an agent that streams answers instead. Where the agent fails, the legacy loop goes on
 * from what the agent has done.
 */
export function createStreamingLoop({ client, model, flags, runs, retraction }: StreamingOptions): StreamingLoop {
  return adaptLoop({
    legacy: createAgentLoop(client, model),
    agent: createAgent({
      client,
      request: { model, max_tokens: 4096 },
      tools: [trackOrderTool],
      ...(runs && { journal: runJournal(runs) }),
    }),
    flags,
    // A rollout of 10 % is a tenth of the visitors: each keeps their side.
    context: ({ visitor }) => ({ targetingKey: visitor }),
    toInput: ({ userInput, conversationHistory, visitor }) => ({
      messages: [...conversationHistory, { role: 'user', content: userInput }],
      request: { metadata: { user_id: visitor } },
      ...(retraction && { retraction }),
    }),
    fromResult: ({ text, messages }) => ({ reply: text, messages }),
    // For runs that start over HTTP: the handler knows the conversation and the new message.
    fromInput: ({ messages, sessionId = '' }) => [
      { userInput: textOf(messages.at(-1)), conversationHistory: messages.slice(0, -1), visitor: sessionId },
    ],
    handover: {
      // The loop adds a user message to the history, so it is given one that changes nothing.
      toArgs: ({ messages }, args) => [{ ...args, userInput: 'Go on.', conversationHistory: messages }],
      fromLegacy: ({ reply, messages }, handed) => ({ messages: messages.slice(handed.messages.length), text: reply }),
    },
  })
}

function textOf(message: Anthropic.MessageParam | undefined): string {
  return typeof message?.content === 'string' ? message.content : ''
}
