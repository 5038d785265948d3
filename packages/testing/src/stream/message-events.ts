import { isIterable, isObject, isString, type JsonObject } from '../kit/guards.ts'
import { type Chunking, chunkText } from './chunking.ts'
import type { StreamEvent } from './sse.ts'

/**
 * A whole message as a non-streaming answer of the API holds it. Here the `text` of a text block may also be an
 * iterable of strings, for answers too large to hold.
 */
export interface WholeMessage {
  readonly content: readonly JsonObject[]
  readonly usage: JsonObject
  readonly [field: string]: unknown
}

/** What the API says of a message at its end. Whatever else it says stands in the start event. */
const fieldsOfTheEnd: readonly string[] = ['stop_reason', 'stop_sequence', 'stop_details', 'container']

/** The fields of usage that the end repeats, as cumulative totals. */
const totals: readonly string[] = [
  'input_tokens',
  'cache_creation_input_tokens',
  'cache_read_input_tokens',
  'output_tokens',
  'server_tool_use',
  'output_tokens_details',
]

/** The fields of usage that are not known at the start, and what they are then. */
const usageAtStart: JsonObject = { output_tokens: 1, server_tool_use: null, output_tokens_details: null }

/**
 * Returns the stream that brings `message`: the events that the API sends for its kinds of blocks. They accumulate to
 * exactly that message. A field that the message lacks is in no event.
 */
export function* messageEvents(message: WholeMessage, chunking: Chunking): Generator<StreamEvent, void, void> {
  const { content, usage, ...rest } = message
  const isAtEnd = (field: string): boolean => fieldsOfTheEnd.includes(field)
  const atEnd = pick(rest, isAtEnd)
  yield {
    type: 'message_start',
    message: {
      ...rest,
      ...mapFields(atEnd, () => null),
      content: [],
      usage: { ...usage, ...pick(usageAtStart, (field) => field in usage) },
    },
  }
  yield { type: 'ping' }
  for (const [index, block] of content.entries()) {
    yield { type: 'content_block_start', index, content_block: openBlock(block) }
    for (const delta of blockDeltas(block, chunking)) yield { type: 'content_block_delta', index, delta }
    yield { type: 'content_block_stop', index }
  }
  yield { type: 'message_delta', delta: atEnd, usage: pick(usage, (field) => totals.includes(field)) }
  yield { type: 'message_stop' }
}

/** Returns the pieces of a text block's text: one, unless it is an iterable. */
export function textPieces(block: JsonObject): Iterable<string> {
  if (isString(block['text'])) return [block['text']]
  return isIterable(block['text']) ? stringsOf(block['text']) : []
}

function* stringsOf(values: Iterable<unknown>): Generator<string> {
  for (const value of values) if (isString(value)) yield value
}

function isCall(block: JsonObject): boolean {
  return String(block['type']).endsWith('tool_use') && isObject(block['input'])
}

/** The block as `content_block_start` shows it: what its deltas bring is empty. */
function openBlock(block: JsonObject): JsonObject {
  if (isCall(block)) return { ...block, input: {} }
  const { type, text, thinking, signature, citations } = block
  switch (type) {
    case 'text':
      return isString(text) || isIterable(text)
        ? { ...block, text: '', ...(Array.isArray(citations) && { citations: [] }) }
        : block
    case 'thinking':
      return {
        ...block,
        ...(isString(thinking) && { thinking: '' }),
        ...(isString(signature) && { signature: '' }),
      }
    case 'compaction':
      return mapFields(block, (value, field) => (field === 'type' ? value : null))
    default:
      return block
  }
}

function* blockDeltas(block: JsonObject, chunking: Chunking): Generator<StreamEvent> {
  if (isCall(block)) {
    // The API opens every input with an empty fragment, and sends nothing more for a call without arguments.
    yield { type: 'input_json_delta', partial_json: '' }
    const json = JSON.stringify(block['input'])
    if (json === '{}') return
    for (const piece of chunkText(json, chunking)) yield { type: 'input_json_delta', partial_json: piece }
    return
  }
  const { type, thinking, signature, citations } = block
  if (type === 'text') {
    for (const part of textPieces(block)) {
      for (const piece of chunkText(part, chunking)) yield { type: 'text_delta', text: piece }
    }
    if (Array.isArray(citations)) for (const citation of citations) yield { type: 'citations_delta', citation }
  }
  if (type === 'thinking') {
    if (isString(thinking)) {
      for (const piece of chunkText(thinking, chunking)) yield { type: 'thinking_delta', thinking: piece }
    }
    if (isString(signature)) yield { type: 'signature_delta', signature }
  }
  if (type === 'compaction') yield { ...block, type: 'compaction_delta' }
}

function pick(fields: JsonObject, isWanted: (field: string) => boolean): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => isWanted(field)))
}

function mapFields(fields: JsonObject, map: (value: unknown, field: string) => unknown): JsonObject {
  return Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, map(value, field)]))
}
