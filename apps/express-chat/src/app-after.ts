import type Anthropic from '@anthropic-ai/sdk'
import type { FlagClient } from '@millrace/core'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { expressSession, millrace } from '@millrace/express'
import { createHandler, type Handler } from '@millrace/server'
import express from 'express'
import session from 'express-session'
import { fileURLToPath } from 'node:url'
import type { AppOptions } from './app-before.ts'
import { createStreaming } from './streaming.ts'

export interface StreamingAppOptions extends AppOptions {
  readonly flags: FlagClient
}

export interface StreamingApp {
  readonly app: express.Express
  readonly handler: Handler
}

/** The same app with Millrace mounted. What is new is marked. */
export function createApp({ client, model, secret, flags }: StreamingAppOptions): StreamingApp {
  const runs = memoryRunStore() // new
  const { agent, agentLoop } = createStreaming({ client, model, flags, runs }) // new: was createAgentLoop(client, model)
  const conversations = new Map<string, readonly Anthropic.MessageParam[]>()
  const app = express()
  app.use(session({ secret, resave: false, saveUninitialized: true }))
  app.use(express.json())

  // new: resumable, cancellable runs under /agent, and a page that shows them
  const handler = createHandler({ agent, runs, sessions: memorySessionStore(), sessionId: expressSession() })
  app.use('/agent', millrace(handler))
  app.use(express.static(fileURLToPath(new URL('../../web/public', import.meta.url))))

  // oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 waits for a handler, and answers its failure
  app.post('/chat', async (req, res) => {
    const { reply, messages } = await agentLoop({
      userInput: String(req.body.message),
      conversationHistory: conversations.get(req.sessionID) ?? [],
    })
    conversations.set(req.sessionID, messages)
    res.json({ reply })
  })
  return { app, handler }
}
