import type { Exchange } from '../run/services.ts'
import { sessionIdOf } from '../session/session-id.ts'
import { findRun, follow } from './follow-run.ts'

/**
 * `GET /ui-message-stream/:id/stream`: what `useChat` asks after a reload, for the answer that is under way in its
 * conversation; from its start, since that client has no cursor. 204 where there is none.
 */
export async function resumeChat(exchange: Exchange, chatId: string): Promise<Response> {
  const { sessions } = exchange
  const sessionId = await sessionIdOf(exchange, chatId)
  const session = sessionId === undefined ? undefined : await sessions?.load(sessionId)
  const runId = session?.activeRunId
  if (runId === undefined) return new Response(null, { status: 204 })
  const snapshot = await findRun(exchange, runId)
  return follow(exchange, snapshot, { format: 'ui-message-stream', rawContent: false }, 0)
}
