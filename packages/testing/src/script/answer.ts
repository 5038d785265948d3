import { createHash } from 'node:crypto'
import { type JsonObject, isString } from '../kit/guards.ts'
import type { Chunking } from '../stream/chunking.ts'
import { messageEvents, textPieces } from '../stream/message-events.ts'
import type { StreamEvent } from '../stream/sse.ts'
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
  readonly usage: JsonObject
  readonly chunking: Chunking
}

const idPrefixes: ReadonlyMap<string, string> = new Map([
  ['tool_use', 'toolu'],
  ['server_tool_use', 'srvtoolu'],
  ['mcp_tool_use', 'mcptoolu'],
])

/** Completes a scripted turn. A different `nonce` for each request makes the ids fresh. */
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

/** Estimates the tokens of a block: four characters are one. */
export function countTokens(block: ContentBlock): number {
  let length = 0
  if (block.type === 'text') for (const piece of textPieces(block)) length += piece.length
  else if (isString(block.thinking)) length = block.thinking.length
  else if (block.input !== undefined) length = JSON.stringify(block.input).length
  return Math.ceil(length / 4)
}

/** Returns the message without its content, as both a stream and a body spell it out. */
function messageFields(answer: Answer): { readonly usage: JsonObject; readonly [field: string]: unknown } {
  return {
    id: answer.id,
    type: 'message',
    role: 'assistant',
    model: answer.model,
    stop_reason: answer.stopReason,
    stop_sequence: answer.stopSequence,
    stop_details: answer.stopDetails,
    container: answer.container,
    usage: answer.usage,
  }
}

/** Returns the events of the streamed answer: they accumulate to exactly the message that `messageJson` spells out. */
export function answerEvents(answer: Answer): Iterable<StreamEvent> {
  return messageEvents({ ...messageFields(answer), content: answer.content }, answer.chunking)
}

/** Returns the body of the non-streaming answer, in pieces, so that a text of any size is never held. */
export function* messageJson(answer: Answer): Generator<string> {
  yield `${JSON.stringify(messageFields(answer)).slice(0, -1)},"content":[`
  for (const [index, block] of answer.content.entries()) {
    if (index > 0) yield ','
    yield* blockJson(block)
  }
  yield ']}'
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
