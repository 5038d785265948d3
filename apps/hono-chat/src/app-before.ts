import type Anthropic from '@anthropic-ai/sdk'
import { useSession } from '@hono/session'
import type { SessionEnv } from '@hono/session'
import { Hono } from 'hono'
import { createAgentLoop } from './agent-loop.ts'

export interface AppOptions {
  readonly client: Anthropic
  readonly model: string
  /** 32 bytes in base64 or hex, for the session cookie. */
  readonly secret: string
}

export interface ChatSession {
  readonly id?: string
}

/** The app as it was: a question, a long wait, the whole answer. */
export function createApp({ client, model, secret }: AppOptions): Hono<SessionEnv<ChatSession>> {
  const agentLoop = createAgentLoop(client, model)
  const conversations = new Map<string, readonly Anthropic.MessageParam[]>()
  const app = new Hono<SessionEnv<ChatSession>>()
  app.use(useSession({ secret }))

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
  return app
}
