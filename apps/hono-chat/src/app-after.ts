import type Anthropic from '@anthropic-ai/sdk'
import { serveStatic } from '@hono/node-server/serve-static'
import { useSession } from '@hono/session'
import type { SessionEnv } from '@hono/session'
import type { FlagClient } from '@millrace/core'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { honoSession, millrace } from '@millrace/hono'
import { createHandler, type Handler } from '@millrace/server'
import { Hono } from 'hono'
import { fileURLToPath } from 'node:url'
import type { AppOptions, ChatSession } from './app-before.ts'
import { createStreaming } from './streaming.ts'

export interface StreamingAppOptions extends AppOptions {
  readonly flags: FlagClient
}

export interface StreamingApp {
  readonly app: Hono<SessionEnv<ChatSession>>
  readonly handler: Handler
}

/** The same app with Millrace mounted. What is new is marked. */
export function createApp({ client, model, secret, flags }: StreamingAppOptions): StreamingApp {
  const runs = memoryRunStore() // new
  const { agent, agentLoop } = createStreaming({ client, model, flags, runs }) // new: was createAgentLoop(client, model)
  const conversations = new Map<string, readonly Anthropic.MessageParam[]>()
  const app = new Hono<SessionEnv<ChatSession>>()
  app.use(useSession({ secret }))

  // new: resumable, cancellable runs under /agent, and a page that shows them
  const handler = createHandler({ agent, runs, sessions: memorySessionStore(), sessionId: honoSession() })
  app.route('/agent', millrace(handler))
  app.get('/', serveStatic({ path: fileURLToPath(new URL('../../web/public/index.html', import.meta.url)) }))

  app.post('/chat', async (c) => {
    const { message } = await c.req.json()
    const id = (await c.var.session.get())?.id ?? crypto.randomUUID()
    await c.var.session.update((before) => ({ ...before, id }))
    const { reply, messages } = await agentLoop({
      userInput: String(message),
      conversationHistory: conversations.get(id) ?? [],
    })
    conversations.set(id, messages)
    return c.json({ reply })
  })
  return { app, handler }
}
