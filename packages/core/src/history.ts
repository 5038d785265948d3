import type { AccumulatedBlock } from './accumulator.ts'
import type { ToolResultContent } from './events.ts'
import {
  type ContentBlock,
  isContentBlock,
  isServerToolUse,
  isToolUse,
  type Message,
  serverToolResultId,
  textOf,
  type ToolUseBlock,
} from './messages.ts'
import { isBlank } from './turn-view.ts'

/** A message before it has the SDK's type. */
interface LooseMessage {
  readonly role: 'user' | 'assistant'
  readonly content: readonly ContentBlock[]
}

/** Content blocks travel verbatim, so what the API sent is what the SDK's types describe. */
function isMessage(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'role' in message && 'content' in message
}

function toMessage(message: LooseMessage): Message {
  if (!isMessage(message)) throw new TypeError('unreachable')
  return message
}

export function assistantMessage(content: readonly ContentBlock[]): Message {
  return toMessage({ role: 'assistant', content })
}

export function userMessage(content: readonly ContentBlock[]): Message {
  return toMessage({ role: 'user', content })
}

/** The content blocks of a message; text content is one block. */
export function blocksOf(message: Message): readonly ContentBlock[] {
  const { content }: { readonly content: unknown } = message
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return Array.isArray(content) ? content.filter(isContentBlock) : []
}

function isThinking(block: ContentBlock): boolean {
  return block.type === 'thinking' || block.type === 'redacted_thinking'
}

/** Thinking without its signature, which the API refuses. */
export function isUnsignedThinking(block: ContentBlock): boolean {
  return block.type === 'thinking' && (typeof block['signature'] !== 'string' || block['signature'] === '')
}

function isBlankText(block: ContentBlock): boolean {
  return block.type === 'text' && isBlank(textOf(block))
}

/** Without what the API refuses when it is sent back: blank text, and thinking as the last block. */
export function withoutRefused(blocks: readonly AccumulatedBlock[]): readonly AccumulatedBlock[] {
  const kept = blocks.filter(({ block }) => !isBlankText(block))
  const end = kept.findLastIndex(({ block }) => !isThinking(block)) + 1
  return kept.slice(0, end)
}

/** The server tool calls among `blocks` whose result is not among them. */
export function pendingServerCalls(blocks: readonly ContentBlock[]): readonly ContentBlock[] {
  const settled = new Set(blocks.map(serverToolResultId))
  return blocks.filter((block) => isServerToolUse(block) && !settled.has(block.id))
}

/**
 * What an unfinished answer leaves in history: its whole blocks and the text that had arrived, without unsigned or
 * trailing thinking, unfinished calls, and calls of server tools whose result never came.
 */
export function keptOfPartial(blocks: readonly AccumulatedBlock[]): readonly AccumulatedBlock[] {
  const whole = blocks.filter(({ block, finished, validInput }) => {
    if (!finished) return block.type === 'text'
    return !isUnsignedThinking(block) && (validInput || block.type !== 'tool_use')
  })
  const pending = new Set(pendingServerCalls(whole.map(({ block }) => block)))
  return withoutRefused(whole.filter(({ block }) => !pending.has(block)))
}

/** The answer to a call, with what the API asks for beside it. */
export function toolResult(call: ToolUseBlock, content: ToolResultContent, isError: boolean): ContentBlock {
  const toolset = call['toolset_name']
  return {
    type: 'tool_result',
    tool_use_id: call.id,
    content,
    ...(isError && { is_error: true }),
    ...(typeof toolset === 'string' && { toolset_name: toolset }),
  }
}

/**
 * `messages` as a next request may start with them: the calls of the last message answered (`why` they were not run),
 * server tools that never finished left out, no thinking at its end.
 */
export function closeHistory(messages: readonly Message[], why: string): Message[] {
  const last = messages.at(-1)
  if (last === undefined || last.role !== 'assistant') return [...messages]
  const blocks = blocksOf(last)
  const kept = keptOfPartial(blocks.map(asWhole)).map(({ block }) => block)
  const before = messages.slice(0, -1)
  if (kept.length === 0) return before
  const same = kept.length === blocks.length
  const calls = kept.filter(isToolUse)
  const closed = [...before, same ? last : assistantMessage(kept)]
  if (calls.length > 0) closed.push(userMessage(calls.map((call) => toolResult(call, why, true))))
  return closed
}

/** A block of history as one that has arrived. */
export function asWhole(block: ContentBlock, index: number): AccumulatedBlock {
  return { index, kind: block.type, finished: true, text: '', block, validInput: true }
}

/** The text of the answer: of all assistant messages after the last tool result. */
export function answerText(messages: readonly Message[]): string {
  const lastResult = messages.findLastIndex((message) =>
    blocksOf(message).some((block) => block.type === 'tool_result'),
  )
  return messages
    .slice(lastResult + 1)
    .filter((message) => message.role === 'assistant')
    .flatMap((message) => blocksOf(message).map(textOf))
    .join('')
}
