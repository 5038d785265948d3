import { type ContentBlock, isBlank, isContentBlock, isMessage, type Message, textOf } from './messages.ts'
import { isCall } from './call-ids.ts'
import { isRecord } from '../kit/guards.ts'
import { refuse } from '../kit/checks.ts'
import { refuseHalfPairs } from '../kit/well-formed.ts'

/**
 * Checks what the API would refuse a message list for.
 *
 * @throws MillraceError `invalid_messages`, with the path of the first offence
 */
export function readMessages(given: unknown, path = 'messages'): readonly Message[] {
  if (!Array.isArray(given) || given.length === 0) fail(path, 'must be an array of at least one message')
  const messages = given.map((message: unknown, index) => readMessage(message, `${path}[${index}]`))
  const first = messages.findIndex(({ role }) => role !== 'system')
  if (messages[first]?.role !== 'user')
    fail(`${path}[${Math.max(first, 0)}].role`, 'must be "user" in the first message')
  checkCalls(messages, path)
  refuseHalfPairs(given, path, 'invalid_messages')
  return messages.map(({ message }) => message)
}

function fail(path: string, expected: string): never {
  refuse(path, expected, 'invalid_messages')
}

interface ReadMessage {
  readonly message: Message
  readonly role: string
  readonly blocks: readonly ContentBlock[]
}

function readMessage(message: unknown, path: string): ReadMessage {
  if (!isRecord(message)) fail(path, 'must be an object with role and content')
  const { role, content } = message
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    fail(`${path}.role`, 'must be "user", "assistant" or "system"')
  }
  if (typeof content === 'string') {
    if (isBlank(content)) fail(`${path}.content`, 'must not be blank')
    return { message: asMessage(message, path), role, blocks: [{ type: 'text', text: content }] }
  }
  if (!Array.isArray(content)) fail(`${path}.content`, 'must be a string or an array of content blocks')
  if (content.length === 0) fail(`${path}.content`, 'must not be empty')
  const blocks = content.map((block: unknown, index) => {
    if (!isContentBlock(block)) fail(`${path}.content[${index}]`, 'must be a content block, an object with a type')
    if (block.type === 'text' && isBlank(textOf(block))) fail(`${path}.content[${index}].text`, 'must not be blank')
    return block
  })
  return { message: asMessage(message, path), role, blocks }
}

function asMessage(message: unknown, path: string): Message {
  return isMessage(message) ? message : fail(path, 'must be an object with role and content')
}

/**
 * Every call has an id that no other call of the conversation has. Every tool_use is answered in the next user message,
 * before anything else, and nothing else is answered.
 */
function checkCalls(messages: readonly ReadMessage[], path: string): void {
  const known = new Map<string, string>()
  let open = new Set<string>()
  for (const [index, { role, blocks }] of messages.entries()) {
    const at = `${path}[${index}]`
    const expectAnswered = (): void => {
      if (open.size > 0) fail(at, `must first answer the tool_use ${list(open)} of the message before it`)
    }
    if (role === 'assistant') {
      expectAnswered()
      open = new Set()
    }
    for (const [position, block] of blocks.entries()) {
      const place = `${at}.content[${position}]`
      if (role === 'assistant' && isCall(block)) {
        const id = readId(block, place, known)
        if (block.type === 'tool_use') open.add(id)
      }
      if (role !== 'user') continue
      if (block.type !== 'tool_result') expectAnswered()
      else if (!open.delete(String(block['tool_use_id'])))
        fail(`${place}.tool_use_id`, 'must name a tool_use of the assistant message before it')
    }
    if (role === 'user' && messages[index + 1]?.role !== 'user') expectAnswered()
  }
  if (open.size > 0) fail(`${path}[${messages.length - 1}]`, `ends with the unanswered tool_use ${list(open)}`)
}

/** Returns the id of a call, and adds it to those that are known, with the call's place. */
function readId({ id }: ContentBlock, place: string, known: Map<string, string>): string {
  if (typeof id !== 'string' || id === '') fail(`${place}.id`, 'must be a string that is not empty')
  const first = known.get(id)
  if (first !== undefined) fail(`${place}.id`, `must not be "${id}": ${first} has that id`)
  known.set(id, place)
  return id
}

function list(ids: ReadonlySet<string>): string {
  return [...ids].map((id) => JSON.stringify(id)).join(', ')
}
