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

/** The content blocks of SDK 1.12 that we know by name. A type test fails when a newer SDK adds one. */
export const contentBlockTypes = [
  'advisor_tool_result',
  'bash_code_execution_tool_result',
  'code_execution_tool_result',
  'compaction',
  'container_upload',
  'fallback',
  'mcp_tool_listing',
  'mcp_tool_result',
  'mcp_tool_use',
  'redacted_thinking',
  'server_tool_use',
  'text',
  'text_editor_code_execution_tool_result',
  'thinking',
  'tool_search_tool_result',
  'tool_use',
  'web_fetch_tool_result',
  'web_search_tool_result',
] as const

export type KnownContentBlockType = (typeof contentBlockTypes)[number]

/** The content block deltas of SDK 1.12, tested likewise. */
export const deltaTypes = [
  'citations_delta',
  'compaction_delta',
  'input_json_delta',
  'signature_delta',
  'text_delta',
  'thinking_delta',
] as const

export type KnownDeltaType = (typeof deltaTypes)[number]

/** The stop reasons of SDK 1.12, tested likewise. */
export const stopReasons = [
  'compaction',
  'end_turn',
  'max_tokens',
  'model_context_window_exceeded',
  'pause_turn',
  'refusal',
  'stop_sequence',
  'tool_use',
] as const

export type KnownStopReason = (typeof stopReasons)[number]

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

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
