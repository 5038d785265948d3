import type Anthropic from '@anthropic-ai/sdk'
import { createAgent, defineTool, type FlagClient } from '@millrace/core'
import { runToReadable } from '@millrace/node'
import { createServer, type Server } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { stationCount, trackOrder, trackOrderDefinition } from './orders.ts'

/** With Millrace: the text flows as it is said, and whoever reads it slowly slows the model down. */
export function createAfter(client: Anthropic, model: string, flags: FlagClient): Server {
  const { name, description = '', input_schema: jsonSchema } = trackOrderDefinition
  const trackOrderTool = defineTool({
    name,
    description,
    inputSchema: { jsonSchema },
    readOnly: true,
    run: (input, { progress }) =>
      trackOrder(input, (message, index) => progress({ message, progress: index + 1, total: stationCount })),
  })
  const agent = createAgent({ client, request: { model, max_tokens: 4096 }, tools: [trackOrderTool], flags })

  return createServer((req, res) => {
    const question = new URL(req.url ?? '/', 'http://localhost').searchParams.get('q') ?? 'Hello'
    res.setHeader('content-type', 'text/plain; charset=utf-8')
    // A pipe cannot take text back: what was said before a stream failed is kept, and the model goes on from there.
    const run = agent.run({ messages: [{ role: 'user', content: question }], retraction: 'continue' })
    // A reader who leaves ends the pipeline; nobody could read the rest, so the run ends too.
    pipeline(runToReadable(run, { format: 'text' }), res).catch(() => run.interrupt('The client has left'))
  })
}
