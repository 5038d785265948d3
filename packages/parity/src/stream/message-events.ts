import type { RecordedMessage } from '../cassette/cassette.ts'
import { isList, isRecord, type JsonObject } from '../json.ts'
import { type Chunking, cutText } from './chunking.ts'
import type { StreamEvent } from './sse-events.ts'

/** What the API says of a message at its end; whatever else it says stands in the start event. */
const fieldsOfTheEnd: readonly string[] = ['stop_reason', 'stop_sequence', 'stop_details', 'container']

/** The counts that the end repeats, as totals. */
const totals: readonly string[] = [
  'input_tokens',
  'cache_creation_input_tokens',
  'cache_read_input_tokens',
  'output_tokens',
  'server_tool_use',
  'output_tokens_details',
]

/** The stream that would have brought `message`: the events that the API sends for its kinds of blocks. */
export function* messageEvents(message: RecordedMessage, chunking: Chunking): Generator<StreamEvent, void, void> {
  const { content, usage, ...rest } = message
  const atEnd = Object.fromEntries(fieldsOfTheEnd.flatMap((field) => (field in rest ? [[field, rest[field]]] : [])))
  const atStart = Object.fromEntries(Object.keys(atEnd).map((field) => [field, null]))
  yield {
    type: 'message_start',
    message: { ...rest, ...atStart, content: [], usage: { ...usage, output_tokens: 1 } },
  }
  yield { type: 'ping' }
  for (const [index, block] of content.entries()) {
    yield { type: 'content_block_start', index, content_block: openBlock(block) }
    for (const delta of blockDeltas(block, chunking)) yield { type: 'content_block_delta', index, delta }
    yield { type: 'content_block_stop', index }
  }
  const counted = Object.fromEntries(totals.flatMap((field) => (field in usage ? [[field, usage[field]]] : [])))
  yield { type: 'message_delta', delta: atEnd, usage: counted }
  yield { type: 'message_stop' }
}

function isCall(block: JsonObject): boolean {
  return String(block['type']).endsWith('tool_use') && isRecord(block['input'])
}

/** The block before its deltas. */
function openBlock(block: JsonObject): JsonObject {
  if (isCall(block)) return { ...block, input: {} }
  switch (block['type']) {
    case 'text':
      return typeof block['text'] === 'string'
        ? { ...block, text: '', ...(isList(block['citations']) && { citations: [] }) }
        : block
    case 'thinking':
      return {
        ...block,
        ...(typeof block['thinking'] === 'string' && { thinking: '' }),
        ...(typeof block['signature'] === 'string' && { signature: '' }),
      }
    case 'compaction':
      return Object.fromEntries(Object.entries(block).map(([field, value]) => [field, field === 'type' ? value : null]))
    default:
      return block
  }
}

function* blockDeltas(block: JsonObject, chunking: Chunking): Generator<JsonObject, void, void> {
  if (isCall(block)) {
    // The API opens every input with an empty fragment, and a call without arguments has no other.
    yield { type: 'input_json_delta', partial_json: '' }
    const json = JSON.stringify(block['input'])
    if (json === '{}') return
    for (const piece of cutText(json, chunking)) yield { type: 'input_json_delta', partial_json: piece }
    return
  }
  const { type, text, thinking, signature, citations } = block
  if (type === 'text' && typeof text === 'string') {
    for (const piece of cutText(text, chunking)) yield { type: 'text_delta', text: piece }
    if (isList(citations)) for (const citation of citations) yield { type: 'citations_delta', citation }
  }
  if (type === 'thinking') {
    if (typeof thinking === 'string') {
      for (const piece of cutText(thinking, chunking)) yield { type: 'thinking_delta', thinking: piece }
    }
    if (typeof signature === 'string') yield { type: 'signature_delta', signature }
  }
  if (type === 'compaction') yield { ...block, type: 'compaction_delta' }
}
