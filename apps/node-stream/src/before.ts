import type Anthropic from '@anthropic-ai/sdk'
import { createServer, type Server } from 'node:http'
import { createAgentLoop } from './agent-loop.ts'

/** As it was: `GET /ask?q=…` waits for the whole answer. */
export function createBefore(client: Anthropic, model: string): Server {
  const agentLoop = createAgentLoop(client, model)
  return createServer((req, res) => {
    const question = new URL(req.url ?? '/', 'http://localhost').searchParams.get('q') ?? 'Hello'
    res.setHeader('content-type', 'text/plain; charset=utf-8')
    agentLoop({ userInput: question, conversationHistory: [] }).then(
      ({ reply }) => res.end(reply),
      () => res.writeHead(500).end(),
    )
  })
}
