import { type ContentBlock, type Message, MillraceError } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import type { StartRunBody } from '../http.ts'
import { fileBlock } from '../media-block.ts'
import { messageLog } from '../message-log.ts'
import { isRetraction } from '../parse-http.ts'

/** What `DefaultChatTransport` posts. */
export interface ChatRequest {
  /** The chat's id. */
  readonly sessionId: string
  /** The conversation as the API takes it. Reasoning is left out: it does not carry the signature that the API asks for. */
  readonly messages: readonly Message[]
  /**
   * What may happen to text that was shown. `useChat` does not say which version of `ai` it is of, and before version 7 a
   * retraction ends it with an error, so this is `continue` unless the body has the field.
   */
  readonly retraction: NonNullable<StartRunBody['retraction']>
}

type Part = Readonly<Record<string, unknown>>

/**
 * Reads the body of a request of `useChat`.
 *
 * @throws MillraceError `invalid_input`, with the `path` of what is wrong
 */
export function readChatRequest(body: unknown): ChatRequest {
  if (!isRecord(body)) throw invalid('', 'the body must be a JSON object')
  const { id, messages, retraction = 'continue' } = body
  if (typeof id !== 'string' || id === '') throw invalid('id', '`id` must be the id of the chat')
  if (!Array.isArray(messages) || messages.length === 0)
    throw invalid('messages', '`messages` must be a list, not empty')
  if (!isRetraction(retraction)) {
    throw invalid('retraction', '`retraction` must be "retract", "continue", "hold" or "fail"')
  }
  const log = messageLog()
  for (const [index, message] of messages.entries()) {
    const parts: unknown = isRecord(message) ? message['parts'] : undefined
    const role: unknown = isRecord(message) ? message['role'] : undefined
    if (!Array.isArray(parts) || (role !== 'user' && role !== 'assistant')) {
      throw invalid(`messages[${index}]`, 'a message has a `role`, "user" or "assistant", and a list of `parts`')
    }
    for (const part of parts.filter(isRecord)) {
      if (role === 'user') log.add('user', userBlocks(part))
      else addAssistantPart(log, part)
    }
  }
  return { sessionId: id, messages: log.messages(), retraction }
}

function userBlocks(part: Part): readonly ContentBlock[] {
  if (part['type'] === 'text' && typeof part['text'] === 'string') return textBlocks(part['text'])
  return part['type'] === 'file' ? fileBlock(part['mediaType'], part['url']) : []
}

function addAssistantPart(log: ReturnType<typeof messageLog>, part: Part): void {
  const { type, text, toolCallId, state, output, errorText } = part
  if (type === 'text' && typeof text === 'string') return log.add('assistant', textBlocks(text))
  const name = toolNameOf(part)
  if (name === undefined || typeof toolCallId !== 'string') return
  const isError = state === 'output-error'
  // A call without a final result is left out, because the API would reject it.
  if (!isError && (state !== 'output-available' || part['preliminary'] === true)) return
  const input = isRecord(part['input']) ? part['input'] : {}
  log.call({ id: toolCallId, name, input }, isError ? errorText : output, isError)
}

function toolNameOf({ type, toolName }: Part): string | undefined {
  if (type === 'dynamic-tool') return typeof toolName === 'string' ? toolName : undefined
  return typeof type === 'string' && type.startsWith('tool-') ? type.slice('tool-'.length) : undefined
}

function textBlocks(text: string): readonly ContentBlock[] {
  return text.trim() === '' ? [] : [{ type: 'text', text }]
}

function invalid(path: string, message: string): MillraceError {
  return new MillraceError('invalid_input', message, path === '' ? {} : { path })
}
