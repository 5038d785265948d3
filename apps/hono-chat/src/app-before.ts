import type Anthropic from '@anthropic-ai/sdk'
import { useSession } from '@hono/session'
import type { SessionEnv } from '@hono/session'
import { createAgentLoop } from '@millrace/sample-loop'
import { type Context, Hono } from 'hono'

export interface AppOptions {
  readonly client: Anthropic
  readonly model: string
  /** 32 bytes in base64 or hex, for the session cookie. */
  readonly secret: string
}

export interface ChatSession {
  readonly visitor?: string
}

/** Returns the id of the visitor, which the session keeps. */
export async function visitorOf(c: Context<SessionEnv<ChatSession>>): Promise<string> {
  const visitor = (await c.var.session.get())?.visitor ?? crypto.randomUUID()
  await c.var.session.update((before) => ({ ...before, visitor }))
  return visitor
}

/** Creates the app without Millrace: a question, a long wait, the whole answer. */
export function createApp({ client, model, secret }: AppOptions): Hono<SessionEnv<ChatSession>> {
  const agentLoop = createAgentLoop(client, model)
  const conversations = new Map<string, readonly Anthropic.MessageParam[]>()
  const app = new Hono<SessionEnv<ChatSession>>()
  app.use(useSession({ secret }))

  app.post('/chat', async (c) => {
    const { message } = await c.req.json()
    const visitor = await visitorOf(c)
    const { reply, messages } = await agentLoop({
      userInput: String(message),
      conversationHistory: conversations.get(visitor) ?? [],
      visitor,
    })
    conversations.set(visitor, messages)
    return c.json({ reply })
  })
  return app
}
