import Anthropic from '@anthropic-ai/sdk'
import { toolResult } from '../scenario.ts'
import { idOf, maxTokens, model, type Peer, route, toolParam, write } from './peer.ts'

/** The loop that the SDK's documentation shows: `messages.stream`, its events passed on, its final message kept. */
export const rawSdk: Peer = (upstream) => {
  const client = new Anthropic({ apiKey: 'any', baseURL: upstream, maxRetries: 0 })
  return route(async (input, res, signal) => {
    const messages: Anthropic.MessageParam[] = [{ role: 'user', content: input }]
    for (;;) {
      const stream = client.messages.stream({ model, max_tokens: maxTokens, messages, tools: [toolParam] }, { signal })
      for await (const event of stream) await write(res, `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
      const { content, stop_reason } = await stream.finalMessage()
      messages.push({ role: 'assistant', content })
      if (stop_reason !== 'tool_use') break
      const results = content.flatMap((block) =>
        block.type === 'tool_use'
          ? [{ type: 'tool_result' as const, tool_use_id: block.id, content: toolResult(idOf(block.input)) }]
          : [],
      )
      messages.push({ role: 'user', content: results })
    }
    res.end()
  })
}
