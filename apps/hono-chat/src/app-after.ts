import { serveStatic } from '@hono/node-server/serve-static'
import { useSession } from '@hono/session'
import type { SessionEnv } from '@hono/session'
import type { FlagClient } from '@millrace/core'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { honoSession, millrace } from '@millrace/hono'
import { createStreamingLoop, inConversation, pageFolders } from '@millrace/sample-loop'
import { createHandler, type Handler } from '@millrace/server'
import { Hono } from 'hono'
import { type AppOptions, type ChatSession, visitorOf } from './app-before.ts'

export interface StreamingAppOptions extends AppOptions {
  readonly flags: FlagClient
}

export interface StreamingApp {
  readonly app: Hono<SessionEnv<ChatSession>>
  readonly handler: Handler
}

/** Creates the same app with Millrace. What is new is marked. */
export function createApp({ client, model, secret, flags }: StreamingAppOptions): StreamingApp {
  const runs = memoryRunStore() // new
  const sessions = memorySessionStore() // new: was a Map
  const agentLoop = createStreamingLoop({ client, model, flags, runs }) // new: was createAgentLoop(client, model)
  const app = new Hono<SessionEnv<ChatSession>>()
  app.use(useSession({ secret }))

  // new: resumable, cancellable runs under /agent, which the legacy loop finishes when the agent fails
  const sessionId = honoSession({ key: 'visitor' })
  const handler = createHandler({ agent: agentLoop.toAgent(), runs, sessions, sessionId })
  app.route('/agent', millrace(handler))

  // new: a page that shows them
  const withoutPrefix = (path: string): string => path.replace('/millrace', '')
  app.use('/millrace/*', serveStatic({ root: pageFolders.millrace, rewriteRequestPath: withoutPrefix }))
  app.get('/', serveStatic({ root: pageFolders.page }))

  app.post('/chat', async (c) => {
    const { message } = await c.req.json()
    const visitor = await visitorOf(c)
    // new: the conversation is the one that runs under /agent have
    const answer = await inConversation(sessions, visitor, (conversationHistory) =>
      agentLoop({ userInput: String(message), conversationHistory, visitor }),
    )
    return answer ? c.json({ reply: answer.reply }) : c.json({ error: 'another answer is under way' }, 409)
  })
  return { app, handler }
}
