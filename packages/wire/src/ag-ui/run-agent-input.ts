import { type ContentBlock, type Message, MillraceError } from '@millrace/core'
import { isRecord, parseJson } from '@millrace/core/kit'
import { fileBlock } from '../media-block.ts'
import { type MessageLog, messageLog } from '../message-log.ts'
import type { AgUiMessage } from './translate.ts'

/** What `HttpAgent` posts. */
export interface AgUiRequest {
  readonly threadId: string
  readonly runId: string
  /** The messages as they came, which the encoder needs for retractions. */
  readonly given: readonly AgUiMessage[]
  /** The conversation as the API takes it. Reasoning, activities and system messages are left out. */
  readonly messages: readonly Message[]
}

/**
 * Reads a `RunAgentInput`. Tools and state of the client are not supported and ignored.
 *
 * @throws MillraceError `invalid_input`, with the `path` of what is wrong
 */
export function readRunAgentInput(body: unknown): AgUiRequest {
  if (!isRecord(body)) throw invalid('', 'the body must be a JSON object')
  const { threadId, runId, messages } = body
  if (typeof threadId !== 'string' || threadId === '') throw invalid('threadId', '`threadId` must be a text, not empty')
  if (typeof runId !== 'string' || runId === '') throw invalid('runId', '`runId` must be a text, not empty')
  if (!Array.isArray(messages)) throw invalid('messages', '`messages` must be a list')
  const given = messages.filter(isAgUiMessage)
  if (given.length < messages.length) throw invalid('messages', 'every message has an `id` and a `role`')
  const results = new Map(
    given.flatMap((message) => (message.role === 'tool' ? [[message['toolCallId'], message]] : [])),
  )
  const log = messageLog()
  for (const message of given) {
    if (message.role === 'user') log.add('user', userBlocks(message['content']))
    if (message.role === 'assistant') addAssistant(log, message, results)
  }
  return { threadId, runId, given, messages: log.messages() }
}

function isAgUiMessage(message: unknown): message is AgUiMessage {
  return isRecord(message) && typeof message['id'] === 'string' && typeof message['role'] === 'string'
}

function addAssistant(log: MessageLog, message: AgUiMessage, results: ReadonlyMap<unknown, AgUiMessage>): void {
  const { content, toolCalls } = message
  if (typeof content === 'string') log.add('assistant', textBlocks(content))
  for (const call of Array.isArray(toolCalls) ? toolCalls.filter(isRecord) : []) {
    const { id, function: called } = call
    const result = results.get(id)
    // A call without a result is left out, because the API would reject it.
    if (typeof id !== 'string' || !isRecord(called) || typeof called['name'] !== 'string' || !result) continue
    const input = parseJson(String(called['arguments']))
    log.call({ id, name: called['name'], input: isRecord(input) ? input : {} }, result['content'], 'error' in result)
  }
}

function userBlocks(content: unknown): readonly ContentBlock[] {
  if (typeof content === 'string') return textBlocks(content)
  if (!Array.isArray(content)) return []
  return content.filter(isRecord).flatMap((part) => {
    if (part['type'] === 'text' && typeof part['text'] === 'string') return textBlocks(part['text'])
    const { source } = part
    if (!isRecord(source)) return []
    const { type, mimeType, value } = source
    return fileBlock(mimeType, type === 'data' ? `data:${String(mimeType)};base64,${String(value)}` : value)
  })
}

function textBlocks(text: string): readonly ContentBlock[] {
  return text.trim() === '' ? [] : [{ type: 'text', text }]
}

function invalid(path: string, message: string): MillraceError {
  return new MillraceError('invalid_input', message, path === '' ? {} : { path })
}
