import { createHash } from 'node:crypto'
import type { Chunking } from './chunking.ts'
import { type JsonObject, isString } from './json.ts'
import { redactedData, sign } from './signature.ts'
import type { ContentBlock, Turn } from './turn.ts'

/** An answer ready to be sent, as a stream or as one body: ids, signatures and usage are filled in. */
export interface Answer {
  readonly id: string
  readonly model: string
  readonly content: readonly ContentBlock[]
  readonly stopReason: string
  readonly stopSequence: string | null
  readonly stopDetails: JsonObject | null
  readonly container: JsonObject | null
  /** What `message_start` reports. */
  readonly startUsage: JsonObject
  /** What the finished message reports. */
  readonly usage: JsonObject
  readonly chunking: Chunking
}

/** The fields of usage that `message_delta` repeats, as cumulative totals. */
export const cumulativeUsage = [
  'input_tokens',
  'cache_creation_input_tokens',
  'cache_read_input_tokens',
  'output_tokens',
  'server_tool_use',
  'output_tokens_details',
] as const

const idPrefixes: ReadonlyMap<string, string> = new Map([
  ['tool_use', 'toolu'],
  ['server_tool_use', 'srvtoolu'],
  ['mcp_tool_use', 'mcptoolu'],
])

/** Completes a scripted turn. `nonce` makes the ids fresh: a different one for each request. */
export function completeTurn(
  turn: Turn,
  request: { model: string; inputTokens: number; nonce: string; chunking: Chunking },
): Answer {
  const content = turn.content.map((block, index) => completeBlock(block, `${request.nonce}.${index}`))
  const callsTool = content.some((block) => block.type === 'tool_use')
  const usage = {
    input_tokens: request.inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: content.reduce((sum, block) => sum + countTokens(block), 1),
    output_tokens_details: null,
    server_tool_use: null,
    service_tier: 'standard',
    inference_geo: null,
    speed: null,
    ...turn.usage,
  }
  return {
    id: freshId('msg', request.nonce),
    model: request.model,
    content,
    stopReason: turn.stopReason ?? (callsTool ? 'tool_use' : 'end_turn'),
    stopSequence: turn.stopSequence ?? null,
    stopDetails: turn.stopDetails ?? null,
    container: turn.container ?? null,
    startUsage: { ...usage, output_tokens: 1, output_tokens_details: null, server_tool_use: null },
    usage,
    chunking: turn.chunking ?? request.chunking,
  }
}

function completeBlock(block: ContentBlock, nonce: string): ContentBlock {
  const prefix = idPrefixes.get(block.type)
  if (prefix !== undefined) {
    return { ...block, id: block.id ?? freshId(prefix, nonce), input: block.input ?? {} }
  }
  switch (block.type) {
    case 'text':
      return { ...block, citations: block.citations ?? null }
    case 'thinking': {
      const thinkingText = isString(block.thinking) ? block.thinking : ''
      return { ...block, thinking: thinkingText, signature: block.signature ?? sign(thinkingText) }
    }
    case 'redacted_thinking':
      return { ...block, data: block.data ?? redactedData(nonce) }
    default:
      return block
  }
}

function freshId(prefix: string, nonce: string): string {
  const digest = createHash('sha256').update(`${prefix}:${nonce}`).digest('base64url').replace(/[-_]/g, 'x')
  return `${prefix}_01${digest.slice(0, 22)}`
}

/** The pieces of a text block's text: one, unless the script gave an iterable. */
export function textPieces(block: ContentBlock): Iterable<string> {
  if (isString(block.text)) return [block.text]
  return isStringIterable(block.text) ? block.text : []
}

function isStringIterable(value: unknown): value is Iterable<string> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
}

/** The estimate that the whole package uses: four characters are a token. */
export function countTokens(block: ContentBlock): number {
  let length = 0
  if (block.type === 'text') for (const piece of textPieces(block)) length += piece.length
  else if (isString(block.thinking)) length = block.thinking.length
  else if (block.input !== undefined) length = JSON.stringify(block.input).length
  return Math.ceil(length / 4)
}

/** The body of the non-streaming answer, in pieces, so that a text of any size is never held. */
export function* messageJson(answer: Answer): Generator<string> {
  const { id, model } = answer
  yield `{"id":${JSON.stringify(id)},"type":"message","role":"assistant","model":${JSON.stringify(model)},"content":[`
  for (const [index, block] of answer.content.entries()) {
    if (index > 0) yield ','
    yield* blockJson(block)
  }
  const rest = {
    stop_reason: answer.stopReason,
    stop_sequence: answer.stopSequence,
    stop_details: answer.stopDetails,
    container: answer.container,
    usage: answer.usage,
  }
  yield `],${JSON.stringify(rest).slice(1)}`
}

function* blockJson(block: ContentBlock): Generator<string> {
  if (block.type !== 'text' || isString(block.text)) {
    yield JSON.stringify(block)
    return
  }
  const { text: _text, ...rest } = block
  yield `${JSON.stringify(rest).slice(0, -1)},"text":"`
  for (const piece of textPieces(block)) yield JSON.stringify(piece).slice(1, -1)
  yield '"}'
}
