import type Anthropic from '@anthropic-ai/sdk'
import express from 'express'
import session from 'express-session'
import { createAgentLoop } from './agent-loop.ts'

export interface AppOptions {
  readonly client: Anthropic
  readonly model: string
  readonly secret: string
}

/** The app as it was: a question, a long wait, the whole answer. */
export function createApp({ client, model, secret }: AppOptions): express.Express {
  const agentLoop = createAgentLoop(client, model)
  const conversations = new Map<string, readonly Anthropic.MessageParam[]>()
  const app = express()
  app.use(session({ secret, resave: false, saveUninitialized: true }))
  app.use(express.json())

  // oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 waits for a handler, and answers its failure
  app.post('/chat', async (req, res) => {
    const { reply, messages } = await agentLoop({
      userInput: String(req.body.message),
      conversationHistory: conversations.get(req.sessionID) ?? [],
    })
    conversations.set(req.sessionID, messages)
    res.json({ reply })
  })
  return app
}
