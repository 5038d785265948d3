import { isObject, isString, type JsonObject } from '../kit/guards.ts'
import { type MessageProblem, problem } from './message-problem.ts'

/** A content block with its place in the request. */
export interface PlacedBlock {
  readonly path: string
  readonly type: string
  readonly fields: JsonObject
}

/** Consecutive messages of one role. The API takes them for one message. */
export interface Group {
  readonly role: string
  /** The index of its first message. */
  readonly index: number
  readonly blocks: readonly PlacedBlock[]
}

const roles: readonly string[] = ['user', 'assistant', 'system']

/** Returns a `messages` array in groups, or what is wrong with its shape. */
export function readHistory(messages: unknown): { groups: readonly Group[] } | { problem: MessageProblem } {
  if (!Array.isArray(messages)) return { problem: problem('messages', 'Input should be a valid list') }
  if (messages.length === 0) return { problem: problem('messages', 'at least one message is required') }
  const groups: { role: string; index: number; blocks: PlacedBlock[] }[] = []
  for (const [index, message] of messages.entries()) {
    const path = `messages.${index}`
    if (!isObject(message)) return { problem: problem(path, 'Input should be an object') }
    const { role, content } = message
    if (!isString(role) || !roles.includes(role)) {
      return { problem: problem(`${path}.role`, "Input should be 'user', 'assistant' or 'system'") }
    }
    const read = readContent(path, content)
    if ('problem' in read) return read
    const last = groups.at(-1)
    if (last?.role === role) last.blocks.push(...read.blocks)
    else groups.push({ role, index, blocks: [...read.blocks] })
  }
  if (groups[0]?.role !== 'user')
    return { problem: problem('messages.0.role', 'first message must use the "user" role') }
  return { groups }
}

function readContent(path: string, content: unknown): { blocks: PlacedBlock[] } | { problem: MessageProblem } {
  if (isString(content)) {
    const problem = textProblem(path, content)
    return problem === undefined
      ? { blocks: [{ path: `${path}.content`, type: 'text', fields: { type: 'text', text: content } }] }
      : { problem }
  }
  if (!Array.isArray(content)) {
    return { problem: problem(`${path}.content`, 'Input should be a string or a list of content blocks') }
  }
  if (content.length === 0) return { problem: problem(path, 'all messages must have non-empty content') }
  const blocks: PlacedBlock[] = []
  for (const [index, block] of content.entries()) {
    const blockPath = `${path}.content.${index}`
    if (!isObject(block) || !isString(block.type)) {
      return { problem: problem(blockPath, 'Input should be a content block with a type') }
    }
    if (block.type === 'text') {
      const found = textProblem(blockPath, block.text)
      if (found !== undefined) return { problem: found }
    }
    blocks.push({ path: blockPath, type: block.type, fields: block })
  }
  return { blocks }
}

/** Returns what is wrong with a text. The API refuses one that is empty or blank. */
export function textProblem(path: string, text: unknown): MessageProblem | undefined {
  if (!isString(text)) return problem(path, 'text: Input should be a valid string')
  if (text === '') return problem(path, 'text content blocks must be non-empty')
  if (text.trim() === '') return problem(path, 'text content blocks must contain non-whitespace text')
  return undefined
}
