import type { ContentBlock } from '@millrace/core'
import { isRecord } from '../check.ts'
import type { StartRequest } from '../start-request.ts'
import { conversationBuilder } from './conversation.ts'
import { type Fields, field, invalid, isUuid, readBodyFields, readId, readMessageList } from './fields.ts'

/**
 * The body that an AG-UI client posts, a `RunAgentInput`. Its tools, state and context are not used: tools run here. Tool
 * calls without a result are left out.
 *
 * @throws MillraceError `invalid_input`
 */
export function parseAgUiBody(given: unknown): StartRequest {
  const body = readBodyFields(given)
  const threadId = readId(body, 'threadId')
  const runId = readId(body, 'runId')
  const messages = readMessageList(body)
  const results = new Map(messages.flatMap(toResult))
  const builder = conversationBuilder()
  for (const [index, message] of messages.entries()) {
    const { role, content } = message
    switch (role) {
      case 'user':
        builder.user(toUserBlocks(content))
        break
      case 'assistant':
        if (typeof content === 'string') builder.say(content)
        for (const call of toCalls(field(message, 'toolCalls'), `messages[${index}].toolCalls`)) {
          const answer = results.get(call.id)
          if (answer) builder.call(call, answer)
        }
        break
      default:
      // Results were taken above; instructions are the server's business, and reasoning and activity are for eyes alone.
    }
  }
  return {
    body: { messages: builder.messages(), sessionId: threadId, ...(isUuid(runId) && { runId }) },
    foreign: { threadId, runId },
    regenerate: false,
    wholeConversation: true,
  }
}

function toUserBlocks(content: unknown): readonly ContentBlock[] {
  if (typeof content === 'string') return content.trim() === '' ? [] : [{ type: 'text', text: content }]
  if (!Array.isArray(content)) return []
  return content.filter(isRecord).flatMap(({ type, text }): ContentBlock[] => {
    return type === 'text' && typeof text === 'string' && text.trim() !== '' ? [{ type, text }] : []
  })
}

function toResult(message: Fields): [string, { content: string; isError: boolean }][] {
  const { role, toolCallId, content, error } = message
  if (role !== 'tool' || typeof toolCallId !== 'string') return []
  return [[toolCallId, { content: typeof content === 'string' ? content : '', isError: typeof error === 'string' }]]
}

function toCalls(calls: unknown, path: string): readonly { id: string; name: string; input: unknown }[] {
  if (!Array.isArray(calls)) return []
  return calls.filter(isRecord).map((call, index) => {
    const { id, function: called } = call
    const { name, arguments: json } = isRecord(called) ? called : {}
    if (typeof id !== 'string' || typeof name !== 'string') {
      throw invalid(`${path}[${index}]`, 'a tool call has an id and a function with a name')
    }
    return { id, name, input: parseArguments(json) }
  })
}

function parseArguments(json: unknown): unknown {
  try {
    const input: unknown = typeof json === 'string' ? JSON.parse(json) : {}
    return input
  } catch {
    return {}
  }
}
