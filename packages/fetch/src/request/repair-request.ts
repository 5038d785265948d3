import { type ContentBlock, MillraceError, type RequestBody } from '@millrace/core'
import {
  asWhole,
  assistantMessage,
  blocksOf,
  isServerToolUse,
  pendingServerCalls,
  serverToolResultId,
  withoutRefused,
} from '@millrace/core/recovery'
import type { MessagesRequest } from './messages-request.ts'
import type { FetchSettings } from './options.ts'

type Message = RequestBody['messages'][number]

/**
 * Returns the request without what an answer that broke has left in its messages and the API would refuse: thinking
 * without its signature, blank text, thinking at the end of a message, and calls of server tools behind which the answer
 * began again. Undefined if there is nothing of that.
 */
function repairBody(body: RequestBody): { readonly body: RequestBody; readonly removed: number } | undefined {
  let removed = 0
  const { messages } = body
  // A paused turn goes on in the next message: its results are there.
  const pending = new Set(pendingServerCalls(messages.flatMap(blocksOf)))
  const repaired = messages.flatMap((message, index): Message[] => {
    if (message.role !== 'assistant' || typeof message.content === 'string') return [message]
    const blocks = blocksOf(message)
    const kept = withoutRefused(withoutAbandoned(blocks, pending, index === messages.length - 1).map(asWhole)).map(
      ({ block }) => block,
    )
    if (kept.length === blocks.length) return [message]
    removed += blocks.length - kept.length
    return kept.length === 0 ? [] : [assistantMessage(kept)]
  })
  return removed === 0 ? undefined : { body: { ...body, messages: repaired }, removed }
}

/**
 * Returns the blocks without the calls of server tools whose result never came, and without the thinking that led to them.
 * The last call of a paused turn is not one of them: its result is still to come.
 */
function withoutAbandoned(
  blocks: readonly ContentBlock[],
  pending: ReadonlySet<ContentBlock>,
  isLastMessage: boolean,
): readonly ContentBlock[] {
  if (pending.size === 0) return blocks
  const end = blocks.findLastIndex((block) => !isServerToolUse(block) && serverToolResultId(block) === undefined)
  const abandoned = blocks.findLastIndex((block, index) => pending.has(block) && (!isLastMessage || index < end))
  if (abandoned === -1) return blocks
  return blocks.filter((block, index) => {
    if (index > abandoned) return true
    return !pending.has(block) && !block.type.endsWith('thinking')
  })
}

/** Returns the request as the API takes it, and reports what had to go. With `repair` off, as it is. */
export function repairMessages(request: MessagesRequest, settings: FetchSettings): MessagesRequest {
  if (!settings.repair) return request
  const repaired = repairBody(request.body)
  if (repaired === undefined) return request
  const { body, removed } = repaired
  settings.onWarning(
    new MillraceError('invalid_messages', `removed from messages what the API refuses: ${removed} content block(s)`, {
      path: 'messages',
    }),
  )
  const headers = new Headers(request.init.headers)
  headers.delete('content-length')
  return { ...request, body, init: { ...request.init, headers, body: JSON.stringify(body) } }
}
