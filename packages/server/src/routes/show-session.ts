import type { Message } from '@millrace/core'
import { contentParameter } from '@millrace/wire'
import { uiMessagesOf } from '@millrace/wire/ui-message-stream'
import { ProblemError } from '../http/problem.ts'
import { notFound } from '../http/routes.ts'
import { jsonResponse } from '../response/result-encoder.ts'
import type { Exchange } from '../run/services.ts'
import { sessionIdOf } from '../session/session-id.ts'

/**
 * `GET /sessions/:id`: the conversation as messages and as UI messages, with the run that is under way. The question of that
 * run is part of it, so that a page that reloads shows everything and follows the run.
 */
export async function showSession(exchange: Exchange, name: string): Promise<Response> {
  const { sessions, runs, caller, settings, url } = exchange
  const sendsRaw = url.searchParams.get(contentParameter.name) === contentParameter.raw
  if (sendsRaw && !settings.rawContent) throw new ProblemError('forbidden', 'Raw content is not given out here')
  const sessionId = await sessionIdOf(exchange, name)
  if (sessions === undefined || sessionId === undefined) throw noSession()
  const { version, messages: kept, owner, activeRunId } = await sessions.load(sessionId)
  if (owner !== undefined && owner !== caller.owner) throw noSession()
  const found = activeRunId === undefined ? undefined : await runs.snapshot(activeRunId)
  const active = found && !found.closed && found.record.owner === caller.owner ? found : undefined
  if (version === 0 && !active) throw noSession()
  const messages = active?.record.messages ?? kept
  return jsonResponse({
    sessionId: name,
    version,
    messages: sendsRaw ? messages : messages.map(withoutRaw),
    uiMessages: uiMessagesOf(messages, name),
    ...(active && { activeRun: { runId: active.record.runId, tail: active.tail } }),
  })
}

function noSession(): ProblemError {
  return notFound('There is no such session, or none that you may see')
}

const shownTypes: ReadonlySet<string> = new Set(['text', 'thinking', 'image', 'document', 'tool_use', 'tool_result'])

/** Returns the message without signatures and encrypted content. */
function withoutRaw({ role, content }: Message): object {
  if (typeof content === 'string') return { role, content }
  const blocks: readonly { readonly type: string }[] = content
  return { role, content: blocks.filter(({ type }) => shownTypes.has(type)).map(withoutSignature) }
}

function withoutSignature(block: object): object {
  return Object.fromEntries(Object.entries(block).filter(([name]) => name !== 'signature'))
}
