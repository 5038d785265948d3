import { findRun, follow } from './follow-run.ts'
import type { Exchange } from './services.ts'
import { askStore } from './store-call.ts'
import { ownSession } from './start-run.ts'

/**
 * `GET /ui-message-stream/:id/stream`: what `useChat` asks after a reload, for the answer that is under way in its
 * conversation; from its start, since that client has no cursor. 204 where there is none.
 */
export async function resumeChat(exchange: Exchange, chatId: string): Promise<Response> {
  const { settings, caller, request } = exchange
  const { sessions } = settings
  const sessionId = (await settings.sessionId?.(request)) ?? ownSession(chatId, caller.owner)
  const session = sessions && sessionId !== undefined ? await askStore(sessions.load(sessionId)) : undefined
  const runId = session?.activeRunId
  if (runId === undefined) return new Response(null, { status: 204 })
  const snapshot = await findRun(exchange, runId)
  return follow(exchange, snapshot, { format: 'ui-message-stream', rawContent: false }, 0)
}
