import { type Answer, cumulativeUsage, textPieces } from './answer.ts'
import { chunkText } from './chunking.ts'
import { isString } from './json.ts'
import type { ContentBlock } from './turn.ts'

/** One event of the Messages API's stream: the JSON of its `data` line. */
export interface StreamEvent {
  readonly type: string
  readonly [field: string]: unknown
}

/** The whole stream of an answer: it accumulates to exactly the message that `messageJson` spells out. */
export function* streamEvents(answer: Answer): Generator<StreamEvent> {
  yield {
    type: 'message_start',
    message: {
      id: answer.id,
      type: 'message',
      role: 'assistant',
      model: answer.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      stop_details: null,
      container: null,
      usage: answer.startUsage,
    },
  }
  yield { type: 'ping' }
  for (const [index, block] of answer.content.entries()) {
    yield { type: 'content_block_start', index, content_block: openBlock(block) }
    for (const delta of blockDeltas(block, answer)) yield { type: 'content_block_delta', index, delta }
    yield { type: 'content_block_stop', index }
  }
  const usage: Record<string, unknown> = {}
  for (const field of cumulativeUsage) usage[field] = answer.usage[field] ?? null
  yield {
    type: 'message_delta',
    delta: {
      stop_reason: answer.stopReason,
      stop_sequence: answer.stopSequence,
      stop_details: answer.stopDetails,
      container: answer.container,
    },
    usage,
  }
  yield { type: 'message_stop' }
}

function takesInput(block: ContentBlock): boolean {
  return block.type === 'tool_use' || block.type === 'server_tool_use' || block.type === 'mcp_tool_use'
}

/** The block as `content_block_start` shows it: what its deltas bring is empty. */
function openBlock(block: ContentBlock): ContentBlock {
  if (takesInput(block)) return { ...block, input: {} }
  switch (block.type) {
    case 'text':
      return { ...block, text: '', citations: Array.isArray(block.citations) ? [] : null }
    case 'thinking':
      return { ...block, thinking: '', signature: '' }
    case 'compaction':
      return 'encrypted_content' in block
        ? { ...block, content: null, encrypted_content: null }
        : { ...block, content: null }
    default:
      return block
  }
}

function* blockDeltas(block: ContentBlock, answer: Answer): Generator<StreamEvent> {
  const { chunking } = answer
  if (takesInput(block)) {
    // The API opens every input with an empty fragment, and sends nothing more for a call without arguments.
    yield { type: 'input_json_delta', partial_json: '' }
    const json = JSON.stringify(block.input)
    if (json !== '{}') {
      for (const piece of chunkText(json, chunking)) yield { type: 'input_json_delta', partial_json: piece }
    }
    return
  }
  switch (block.type) {
    case 'text':
      for (const part of textPieces(block)) {
        for (const piece of chunkText(part, chunking)) yield { type: 'text_delta', text: piece }
      }
      if (Array.isArray(block.citations)) {
        for (const citation of block.citations) yield { type: 'citations_delta', citation }
      }
      return
    case 'thinking':
      if (isString(block.thinking)) {
        for (const piece of chunkText(block.thinking, chunking)) yield { type: 'thinking_delta', thinking: piece }
      }
      yield { type: 'signature_delta', signature: block.signature }
      return
    case 'compaction':
      yield 'encrypted_content' in block
        ? { type: 'compaction_delta', content: block.content, encrypted_content: block.encrypted_content }
        : { type: 'compaction_delta', content: block.content }
      return
    default:
  }
}
