import type Anthropic from '@anthropic-ai/sdk'
import { createAgentLoop } from '@millrace/sample-loop'
import { createServer, type Server } from 'node:http'
import { questionOf } from './question.ts'

/** Creates the server without Millrace: `GET /?q=…` waits for the whole answer. */
export function createBefore(client: Anthropic, model: string): Server {
  const agentLoop = createAgentLoop(client, model)
  return createServer((req, res) => {
    res.setHeader('content-type', 'text/plain; charset=utf-8')
    agentLoop(questionOf(req)).then(
      ({ reply }) => res.end(reply),
      () => res.writeHead(500).end(),
    )
  })
}
