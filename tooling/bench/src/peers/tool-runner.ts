import Anthropic from '@anthropic-ai/sdk'
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema'
import { toolName, toolResult } from '../scenario.ts'
import { maxTokens, model, type Peer, route, write } from './peer.ts'

const lookUp = betaTool({
  name: toolName,
  description: 'Looks up an order.',
  inputSchema: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] },
  run: ({ id }) => toolResult(id),
})

/** The tool runner of the SDK, streaming. */
export const toolRunner: Peer = (upstream) => {
  const client = new Anthropic({ apiKey: 'any', baseURL: upstream, maxRetries: 0 })
  return route(async (input, res, signal) => {
    const messages = [{ role: 'user' as const, content: input }]
    const runner = client.beta.messages.toolRunner(
      { model, max_tokens: maxTokens, messages, tools: [lookUp], stream: true },
      { signal },
    )
    for await (const stream of runner) {
      for await (const event of stream) await write(res, `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    }
    res.end()
  })
}
