import { isRecord } from '../kit/guards.ts'
import type Anthropic from '@anthropic-ai/sdk'

/** A message of the conversation as the SDK's GA surface types it. */
export type Message = Anthropic.MessageParam

/** A message as callers may hand it in: of the GA or the beta surface. */
export type InputMessage = Anthropic.MessageParam | Anthropic.Beta.BetaMessageParam

/** A content block, known or not: unknown ones travel verbatim. */
export interface ContentBlock {
  readonly type: string
  readonly [field: string]: unknown
}

/** An assistant message, as the accumulator builds it from either turn source. */
export interface AssistantMessage {
  readonly id: string
  readonly model: string
  readonly content: readonly ContentBlock[]
  readonly stop_reason: string | null
  readonly stop_sequence: string | null
  readonly usage: Usage
  /** Whatever else the API sent: `container`, `stop_details`, `context_management` … */
  readonly [field: string]: unknown
}

/** Token counts, and whatever else the API counts. Numbers of several turns are added up. */
export interface Usage {
  readonly input_tokens: number
  readonly output_tokens: number
  readonly [field: string]: unknown
}

/** A call of a client tool. */
export interface ToolUseBlock extends ContentBlock {
  readonly type: 'tool_use'
  readonly id: string
  readonly name: string
  readonly input: unknown
}

/**
 * Builds a message of content blocks. Blocks travel verbatim, so a message may hold blocks that the SDK does not know yet.
 *
 * @throws TypeError for a block without a type, which is a defect of its caller
 */
export function messageOf(role: 'user' | 'assistant', content: readonly ContentBlock[]): Message {
  const message: unknown = { role, content }
  if (!isMessage(message)) throw new TypeError('a content block must be an object with a type')
  return message
}

/**
 * Whether a value is a message: a role, and a text or a list of content blocks. Blocks of types that the SDK does not know
 * pass, since the API adds some; `readMessages` checks what the API refuses.
 */
export function isMessage(value: unknown): value is Message {
  if (!isRecord(value)) return false
  const { role, content } = value
  if (role !== 'user' && role !== 'assistant' && role !== 'system') return false
  return typeof content === 'string' || (Array.isArray(content) && content.every(isContentBlock))
}

/** Whether a value is an object with a type. */
export function isContentBlock(value: unknown): value is ContentBlock {
  return isRecord(value) && typeof value['type'] === 'string'
}

export function isToolUse(block: ContentBlock): block is ToolUseBlock {
  return block.type === 'tool_use' && typeof block['id'] === 'string' && typeof block['name'] === 'string'
}

/** A call that Anthropic executes: a server tool or a tool of the MCP connector. */
export function isServerToolUse(
  block: ContentBlock,
): block is ContentBlock & { readonly id: string; readonly name: string } {
  const isCall = block.type === 'server_tool_use' || block.type === 'mcp_tool_use'
  return isCall && typeof block['id'] === 'string' && typeof block['name'] === 'string'
}

/** The id of the server tool call that `block` is the result of, or undefined where it is no such result. */
export function serverToolResultId(block: ContentBlock): string | undefined {
  if (block.type === 'tool_result' || !block.type.endsWith('tool_result')) return undefined
  const id = block['tool_use_id']
  return typeof id === 'string' ? id : undefined
}

export function textOf(block: ContentBlock): string {
  const text = block.type === 'text' ? block['text'] : undefined
  return typeof text === 'string' ? text : ''
}

/** Text that the API refuses to take back. */
export function isBlank(text: string): boolean {
  return text.trim() === ''
}

/** Whether the model has stopped only to be asked to go on. */
export function isPause(stopReason: string | null): boolean {
  return stopReason === 'pause_turn' || stopReason === 'compaction'
}
