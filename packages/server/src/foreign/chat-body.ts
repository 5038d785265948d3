import type { ContentBlock } from '@millrace/core'
import { isRecord } from '../check.ts'
import type { StartRequest } from '../start-request.ts'
import { type ConversationBuilder, conversationBuilder } from './conversation.ts'
import { type Fields, field, invalid, readBodyFields, readId, readMessageList } from './fields.ts'

/**
 * The body that `useChat` posts: `{ id, messages, trigger }`. Of its parts text, files that are images, and finished tool
 * calls are taken; the rest (reasoning, data, sources) is for eyes alone.
 *
 * @throws MillraceError `invalid_input`
 */
export function parseChatBody(given: unknown): StartRequest {
  const body = readBodyFields(given)
  const threadId = readId(body, 'id')
  const builder = conversationBuilder()
  for (const [index, message] of readMessageList(body).entries()) addMessage(builder, message, `messages[${index}]`)
  return {
    body: { messages: builder.messages(), sessionId: threadId },
    foreign: { threadId },
    regenerate: field(body, 'trigger') === 'regenerate-message',
    wholeConversation: true,
  }
}

function addMessage(builder: ConversationBuilder, message: Fields, path: string): void {
  const role = field(message, 'role')
  const parts = field(message, 'parts')
  if (!Array.isArray(parts)) throw invalid(`${path}.parts`, 'a message has a list of parts')
  const known = parts.filter(isRecord)
  switch (role) {
    case 'user':
      return builder.user(known.flatMap(toUserBlock))
    case 'assistant':
      for (const part of known) addAnswerPart(builder, part)
      return
    case 'system':
      // Instructions are the server's business: a client that could give them could undo them.
      return
    default:
      throw invalid(`${path}.role`, '`role` must be "user", "assistant" or "system"')
  }
}

function toUserBlock(part: Fields): readonly ContentBlock[] {
  const { type, text, url } = part
  if (type === 'text' && typeof text === 'string' && text.trim() !== '') return [{ type: 'text', text }]
  if (type === 'file' && typeof url === 'string') return imageBlock(url)
  return []
}

/** Images inside the message. A URL that somebody else would have to fetch is left out. */
function imageBlock(url: string): readonly ContentBlock[] {
  const match = /^data:(image\/(?:png|jpeg|gif|webp));base64,([a-z\d+/=]+)$/i.exec(url)
  if (!match) return []
  return [{ type: 'image', source: { type: 'base64', media_type: match[1]?.toLowerCase(), data: match[2] } }]
}

function addAnswerPart(builder: ConversationBuilder, part: Fields): void {
  const { type, text, toolCallId, toolName, state, input, output, errorText } = part
  if (type === 'text' && typeof text === 'string') return builder.say(text)
  if (typeof type !== 'string' || typeof toolCallId !== 'string') return
  const name = type === 'dynamic-tool' ? toolName : type.startsWith('tool-') ? type.slice('tool-'.length) : undefined
  if (typeof name !== 'string') return
  if (state === 'output-available') {
    const content = typeof output === 'string' ? output : JSON.stringify(output ?? null)
    builder.call({ id: toolCallId, name, input }, { content, isError: false })
  } else if (state === 'output-error') {
    const content = typeof errorText === 'string' ? errorText : 'The tool failed'
    builder.call({ id: toolCallId, name, input }, { content, isError: true })
  }
}
