import { createAnthropic } from '@ai-sdk/anthropic'
import { isStepCount, streamText, tool } from 'ai'
import { z } from 'zod'
import { toolName, toolResult } from '../scenario.ts'
import { maxTokens, model, type Peer, route, write } from './peer.ts'

/** `streamText` of the AI SDK with its stream for user interfaces. */
export const aiSdk: Peer = (upstream) => {
  const anthropic = createAnthropic({ apiKey: 'any', baseURL: `${upstream}/v1` })
  const lookUp = tool({
    description: 'Looks up an order.',
    inputSchema: z.object({ id: z.string() }),
    execute: async ({ id }) => toolResult(id),
  })
  return route(async (input, res, signal) => {
    const result = streamText({
      model: anthropic(model),
      maxOutputTokens: maxTokens,
      prompt: input,
      tools: { [toolName]: lookUp },
      stopWhen: isStepCount(100),
      maxRetries: 0,
      abortSignal: signal,
    })
    const { body } = result.toUIMessageStreamResponse()
    if (body) for await (const chunk of body) await write(res, chunk)
    res.end()
  })
}
