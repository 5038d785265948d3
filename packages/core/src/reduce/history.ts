import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { ToolResultContent } from '../protocol/events.ts'
import {
  type ContentBlock,
  isContentBlock,
  isServerToolUse,
  isToolUse,
  type Message,
  messageOf,
  serverToolResultId,
  textOf,
  type ToolUseBlock,
  isBlank,
} from '../protocol/messages.ts'
import { isRecord } from '../kit/guards.ts'

export function assistantMessage(content: readonly ContentBlock[]): Message {
  return messageOf('assistant', content)
}

export function userMessage(content: readonly ContentBlock[]): Message {
  return messageOf('user', content)
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

/**
 * Returns the blocks without what the API refuses when it is sent back: blank text, thinking without its signature
 * (lost on the way, or never given by a gateway), and thinking as the last block.
 */
export function withoutRefused(blocks: readonly AccumulatedBlock[]): readonly AccumulatedBlock[] {
  const kept = blocks.filter(({ block }) => !isBlankText(block) && !isUnsignedThinking(block))
  const end = kept.findLastIndex(({ block }) => !isThinking(block)) + 1
  return kept.slice(0, end)
}

/** The server tool calls among `blocks` whose result is not among them. */
export function pendingServerCalls(blocks: readonly ContentBlock[]): readonly ContentBlock[] {
  const settled = new Set(blocks.map(serverToolResultId))
  return blocks.filter((block) => isServerToolUse(block) && !settled.has(block.id))
}

/**
 * The ids of the calls among `blocks` that nothing can go on from: server tools without their result, and what their
 * code has called. The API takes no message beside the result that such code waits for.
 */
function deadCalls(blocks: readonly ContentBlock[]): ReadonlySet<unknown> {
  const dead = new Set<unknown>(pendingServerCalls(blocks).map(({ id }) => id))
  const results = new Set(blocks.map(serverToolResultId))
  for (const block of blocks) {
    const { caller, id } = block
    const calledBy = isRecord(caller) ? caller['tool_id'] : undefined
    if (typeof calledBy !== 'string' || typeof id !== 'string') continue
    const isOpen = block.type === 'tool_use' && !results.has(calledBy)
    if (isOpen || dead.has(calledBy)) dead.add(id)
  }
  return dead
}

function isDead(block: ContentBlock, dead: ReadonlySet<unknown>): boolean {
  return dead.has(block['id'] ?? block['tool_use_id'])
}

/**
 * Returns what is kept of an unfinished answer: its whole blocks and the text that had arrived, without unsigned thinking,
 * unfinished calls, and calls of server tools whose result never came. History holds that `withoutRefused`.
 */
export function keptOfPartial(blocks: readonly AccumulatedBlock[]): readonly AccumulatedBlock[] {
  const whole = blocks.filter(({ block, finished, validInput }) => {
    // The result of a server tool comes whole, in its start event.
    if (!finished) return (block.type === 'text' && !isBlankText(block)) || serverToolResultId(block) !== undefined
    return !isUnsignedThinking(block) && (validInput || block.type !== 'tool_use')
  })
  const dead = deadCalls(whole.map(({ block }) => block))
  return whole.filter(({ block }) => !isDead(block, dead))
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
 * server tools that never finished left out with all that their code has called, no thinking at its end.
 */
export function closeHistory(messages: readonly Message[], why: string): Message[] {
  const dead = deadCalls(messages.flatMap(blocksOf))
  const closed = messages.flatMap((message, index) => withoutDead(message, dead, index === messages.length - 1))
  const last = closed.at(-1)
  const calls = last?.role === 'assistant' ? blocksOf(last).filter(isToolUse) : []
  if (calls.length > 0) closed.push(userMessage(calls.map((call) => toolResult(call, why, true))))
  return closed
}

/** The message without those calls and their results; none where nothing is left. */
function withoutDead(message: Message, dead: ReadonlySet<unknown>, isLast: boolean): Message[] {
  const blocks = blocksOf(message)
  const alive = blocks.filter((block) => !isDead(block, dead))
  if (message.role !== 'assistant') {
    if (alive.length === blocks.length) return [message]
    return alive.length === 0 ? [] : [userMessage(alive)]
  }
  const whole = alive.map(asWhole)
  const kept = withoutRefused(isLast ? keptOfPartial(whole) : whole).map(({ block }) => block)
  if (kept.length === blocks.length) return [message]
  return kept.length === 0 ? [] : [assistantMessage(kept)]
}

/** A block of history as one that has arrived. */
export function asWhole(block: ContentBlock, index: number): AccumulatedBlock {
  return { index, kind: block.type, finished: true, text: '', block, validInput: true }
}

/**
 * Returns the text of the answer: that of all assistant messages after the last tool result. If they have none, it is the
 * text before that result: an answer that ends with calls which are not run has its text in front of their results. Blank
 * blocks are no part of history, so `result.text` may have white space that this lacks.
 */
export function answerText(messages: readonly Message[]): string {
  let answer = ''
  let said = ''
  for (const message of messages) {
    if (blocksOf(message).some((block) => block.type === 'tool_result')) said = ''
    said += saidIn(message)
    if (!isBlank(said) || isBlank(answer)) answer = said
  }
  return answer
}

/** The text that the model said in a message. */
function saidIn(message: Message): string {
  return message.role === 'assistant' ? blocksOf(message).map(textOf).join('') : ''
}
