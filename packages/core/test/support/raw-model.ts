import type { ModelClient, RequestBody } from '../../src/index.ts'
import { isRecord } from '../../src/kit/guards.ts'

type Json = Readonly<Record<string, unknown>>

/** What the model answers a request with: events of a stream, text of its body as it is, or one JSON body. */
export type RawAnswer = { readonly events: readonly Json[] } | { readonly body: string } | { readonly message: Json }

export interface RawModel {
  readonly client: ModelClient
  readonly requests: readonly RequestBody[]
}

const encoder = new TextEncoder()

/** The bytes of an event as the API sends it. */
export function frame(event: Json): string {
  return `event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`
}

/** A model in this process whose answers are written event by event; its client gives the raw bytes, as the SDK does. */
export function rawModel(answer: (request: RequestBody, count: number) => RawAnswer): RawModel {
  const requests: RequestBody[] = []
  function create(body: unknown): PromiseLike<unknown> {
    if (!isBody(body)) throw new TypeError('unreachable')
    requests.push(body)
    const given = answer(body, requests.length)
    if ('message' in given) return Promise.resolve(given.message)
    const text = 'body' in given ? given.body : given.events.map(frame).join('')
    const response = new Response(encoder.encode(text), { headers: { 'content-type': 'text/event-stream' } })
    return Object.assign(Promise.resolve(undefined), { asResponse: () => Promise.resolve(response) })
  }
  return { client: { messages: { create } }, requests }
}

function isBody(body: unknown): body is RequestBody {
  return isRecord(body) && Array.isArray(body['messages'])
}

const usage = { input_tokens: 5, output_tokens: 1 }

/** Events of the Messages API, written short. */
export const event = {
  start: (message: Json = {}): Json => ({
    type: 'message_start',
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage,
      ...message,
    },
  }),
  block: (index: number, block: Json): Json => ({ type: 'content_block_start', index, content_block: block }),
  delta: (index: number, delta: Json): Json => ({ type: 'content_block_delta', index, delta }),
  text: (index: number, text: string): Json => event.delta(index, { type: 'text_delta', text }),
  json: (index: number, json: string): Json => event.delta(index, { type: 'input_json_delta', partial_json: json }),
  stop: (index: number): Json => ({ type: 'content_block_stop', index }),
  end: (stopReason: string | null, output: number = 9): Json => ({
    type: 'message_delta',
    delta: { stop_reason: stopReason, stop_sequence: null },
    usage: { output_tokens: output },
  }),
  close: { type: 'message_stop' },
}

/** One text block with its events. */
export function textBlock(index: number, text: string): Json[] {
  return [event.block(index, { type: 'text', text: '' }), event.text(index, text), event.stop(index)]
}

/** A whole answer of one text block. */
export function textAnswer(text: string): { readonly events: readonly Json[] } {
  return { events: [event.start(), ...textBlock(0, text), event.end('end_turn'), event.close] }
}

/** A whole answer in one JSON body. */
export function jsonAnswer(
  content: readonly Json[],
  stopReason: string,
  output: number = 9,
): { readonly message: Json } {
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content, stop_reason: stopReason }
  return { message: { ...message, stop_sequence: null, usage: { ...usage, output_tokens: output } } }
}
