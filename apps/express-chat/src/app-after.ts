import type { FlagClient } from '@millrace/core'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { expressSession, millrace } from '@millrace/express'
import { createStreamingLoop, inConversation, pageFolders } from '@millrace/sample-loop'
import { createHandler, type Handler } from '@millrace/server'
import express from 'express'
import session from 'express-session'
import type { AppOptions } from './app-before.ts'

export interface StreamingAppOptions extends AppOptions {
  readonly flags: FlagClient
}

export interface StreamingApp {
  readonly app: express.Express
  readonly handler: Handler
}

/** Creates the same app with Millrace. What is new is marked. */
export function createApp({ client, model, secret, flags }: StreamingAppOptions): StreamingApp {
  const runs = memoryRunStore() // new
  const sessions = memorySessionStore() // new: was a Map
  const agentLoop = createStreamingLoop({ client, model, flags, runs }) // new: was createAgentLoop(client, model)
  const app = express()
  app.use(session({ secret, resave: false, saveUninitialized: true }))
  app.use(express.json())

  // new: resumable, cancellable runs under /agent, which the legacy loop finishes when the agent fails
  const sessionId = expressSession({ key: 'visitor' })
  const handler = createHandler({ agent: agentLoop.toAgent(), runs, sessions, sessionId })
  app.use('/agent', millrace(handler))

  // new: a page that shows them
  app.use('/millrace', express.static(pageFolders.millrace))
  app.use(express.static(pageFolders.page))

  // oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 waits for a handler, and answers its failure
  app.post('/chat', async (req, res) => {
    const visitor = (req.session.visitor ??= crypto.randomUUID())
    // new: the conversation is the one that runs under /agent have
    const answer = await inConversation(sessions, visitor, (conversationHistory) =>
      agentLoop({ userInput: String(req.body.message), conversationHistory, visitor }),
    )
    if (answer) res.json({ reply: answer.reply })
    else res.status(409).json({ error: 'another answer is under way' })
  })
  return { app, handler }
}
