import type { ContentBlock, Message } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { toolResultText } from '../tool-result-text.ts'

/** A message as `useChat` holds it. */
export interface UiMessage {
  readonly id: string
  readonly role: 'user' | 'assistant'
  readonly parts: readonly UiPart[]
}

export interface UiPart {
  readonly type: string
  readonly [field: string]: unknown
}

/**
 * Returns a conversation as the initial messages of `useChat`. An answer with all of its tool calls is one message, as it is
 * when it is streamed. Blocks that no part can show, such as signatures, are left out.
 *
 * @param idPrefix the beginning of each message's id, such as the id of the chat
 */
export function uiMessagesOf(messages: readonly Message[], idPrefix: string): readonly UiMessage[] {
  const results = new Map(messages.flatMap(blocksOf).flatMap(resultEntry))
  const shown: { readonly id: string; readonly role: 'user' | 'assistant'; readonly parts: UiPart[] }[] = []
  for (const [index, message] of messages.entries()) {
    const { role } = message
    if (role !== 'user' && role !== 'assistant') continue
    const parts = blocksOf(message).flatMap((block) => partsOf(block, results))
    // A message that only answers tool calls belongs to the answer around it.
    if (parts.length === 0) continue
    const last = shown.at(-1)
    const steps: UiPart[] = role === 'assistant' ? [{ type: 'step-start' }, ...parts] : parts
    if (role === 'assistant' && last?.role === role) last.parts.push(...steps)
    else shown.push({ id: `${idPrefix}-${index}`, role, parts: steps })
  }
  return shown
}

function blocksOf({ content }: Message): readonly ContentBlock[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  const blocks: readonly unknown[] = content
  return blocks.filter(isBlock)
}

function resultEntry(block: ContentBlock): [string, ContentBlock][] {
  const { type, tool_use_id: id } = block
  return type === 'tool_result' && typeof id === 'string' ? [[id, block]] : []
}

function partsOf(block: ContentBlock, results: ReadonlyMap<string, ContentBlock>): UiPart[] {
  const { type, text, thinking, id, name, input } = block
  if (type === 'text' && typeof text === 'string' && text !== '') return [{ type: 'text', text, state: 'done' }]
  if (type === 'thinking' && typeof thinking === 'string' && thinking !== '') {
    return [{ type: 'reasoning', text: thinking, state: 'done' }]
  }
  if (type === 'image' || type === 'document') return filePart(block)
  if (type !== 'tool_use' || typeof id !== 'string' || typeof name !== 'string') return []
  const call = { type: `tool-${name}`, toolCallId: id, input: input ?? {} }
  const result = results.get(id)
  if (result === undefined) return [{ ...call, state: 'input-available' }]
  const { content = '' } = result
  if (result['is_error'] === true)
    return [{ ...call, state: 'output-error', errorText: toolResultText(readResult(content)) }]
  return [{ ...call, state: 'output-available', output: content }]
}

function readResult(content: unknown): string | readonly ContentBlock[] {
  if (typeof content === 'string') return content
  return Array.isArray(content) ? content.filter(isBlock) : ''
}

function isBlock(value: unknown): value is ContentBlock {
  return isRecord(value) && typeof value['type'] === 'string'
}

function filePart({ source }: ContentBlock): UiPart[] {
  if (!isRecord(source)) return []
  const { type, url, media_type: mediaType = 'application/octet-stream', data } = source
  if (type === 'url' && typeof url === 'string') return [{ type: 'file', mediaType, url }]
  if (type === 'base64' && typeof data === 'string') {
    return [{ type: 'file', mediaType, url: `data:${String(mediaType)};base64,${data}` }]
  }
  return []
}
