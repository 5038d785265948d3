import type Anthropic from '@anthropic-ai/sdk'
import { createAgentLoop } from '@millrace/sample-loop'
import express from 'express'
import session from 'express-session'

declare module 'express-session' {
  interface SessionData {
    visitor: string
  }
}

export interface AppOptions {
  readonly client: Anthropic
  readonly model: string
  readonly secret: string
}

/** Creates the app without Millrace: a question, a long wait, the whole answer. */
export function createApp({ client, model, secret }: AppOptions): express.Express {
  const agentLoop = createAgentLoop(client, model)
  const conversations = new Map<string, readonly Anthropic.MessageParam[]>()
  const app = express()
  app.use(session({ secret, resave: false, saveUninitialized: true }))
  app.use(express.json())

  // oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 waits for a handler, and answers its failure
  app.post('/chat', async (req, res) => {
    const visitor = (req.session.visitor ??= crypto.randomUUID())
    const { reply, messages } = await agentLoop({
      userInput: String(req.body.message),
      conversationHistory: conversations.get(visitor) ?? [],
      visitor,
    })
    conversations.set(visitor, messages)
    res.json({ reply })
  })
  return app
}
