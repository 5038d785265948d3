import type Anthropic from '@anthropic-ai/sdk'
import {
  type AdaptedLoop,
  adaptLoop,
  createAgent,
  defineTool,
  type FlagClient,
  type LocalAgent,
  type RunStore,
} from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { createAgentLoop, type LoopArgs, type LoopResult } from './agent-loop.ts'
import { stationCount, trackOrder, trackOrderDefinition } from './orders.ts'

const { name, description, input_schema: jsonSchema } = trackOrderDefinition

/** The tool, told to say how far it is. */
const trackOrderTool = defineTool({
  name,
  description: description ?? '',
  inputSchema: { jsonSchema },
  readOnly: true,
  run: (input, { progress }) =>
    trackOrder(input, (message, index) => progress({ message, progress: index + 1, total: stationCount })),
})

export interface StreamingOptions {
  readonly client: Anthropic
  readonly model: string
  readonly flags: FlagClient
  readonly runs: RunStore
}

export interface Streaming {
  readonly agent: LocalAgent
  /** Stands where the old loop stood. */
  readonly agentLoop: AdaptedLoop<unknown, [LoopArgs], LoopResult>
}

/** The agent that streams, and the old loop around it: by flag one or the other, and the old one where streaming fails. */
export function createStreaming({ client, model, flags, runs }: StreamingOptions): Streaming {
  const agent = createAgent({
    client,
    request: { model, max_tokens: 4096 },
    tools: [trackOrderTool],
    flags,
    journal: runJournal(runs),
  })
  const agentLoop = adaptLoop({
    legacy: createAgentLoop(client, model),
    agent,
    flags,
    toInput: ({ userInput, conversationHistory }) => ({
      messages: [...conversationHistory, { role: 'user', content: userInput }],
    }),
    fromResult: ({ text, messages }) => ({ reply: text, messages }),
  })
  return { agent, agentLoop }
}
