import { deferred } from '@millrace/testing/async'
import type { ModelClient, RequestBody } from '../../src/index.ts'
import { isRecord } from '../../src/kit/guards.ts'

/** One request to a model whose answer is written by hand. */
export interface Exchange {
  readonly body: RequestBody
  readonly signal: AbortSignal
  readonly streams: boolean
  /** Answers with the headers of an event stream. */
  open(): void
  /** Sends one event of the stream, in a read of its own. */
  send(event: { readonly type: string; readonly [field: string]: unknown }): void
  /** Sends bytes that are no event, such as a comment. */
  sendRaw(text: string): void
  /** `message_start` up to the first piece of a text block. */
  begin(text: string): void
  /** One more piece of that block. */
  more(text: string): void
  /** The end of that block and of the turn. */
  finish(stopReason?: string): void
  /** Ends the body. */
  end(): void
  /** Breaks the connection, before or after the headers. */
  fail(error: unknown): void
  /** Answers in one body. */
  answer(content: readonly unknown[], stopReason?: string): void
}

/** A model that waits for what the test makes it say; its client gives the raw bytes, as the SDK does. */
export interface ManualModel {
  readonly client: ModelClient
  /** The exchanges so far. */
  readonly exchanges: readonly Exchange[]
  /** The exchange of this number, 0 for the first, once it was asked for. */
  exchange(index: number): Promise<Exchange>
}

const usage = { input_tokens: 1, output_tokens: 1 }

export function manualModel(): ManualModel {
  const exchanges: Exchange[] = []
  const waiting = new Set<{ readonly index: number; readonly resolve: (exchange: Exchange) => void }>()

  function create(body: unknown, options?: unknown): PromiseLike<unknown> {
    if (!isBody(body) || !isRecord(options) || !(options['signal'] instanceof AbortSignal))
      throw new TypeError('unreachable')
    const { exchange, response, message } = openExchange(body, options['signal'])
    exchanges.push(exchange)
    for (const waiter of waiting) {
      if (waiter.index >= exchanges.length) continue
      waiting.delete(waiter)
      waiter.resolve(exchange)
    }
    return Object.assign(message, { asResponse: () => response })
  }

  return {
    client: { messages: { create } },
    exchanges,
    exchange(index) {
      const known = exchanges[index]
      return known === undefined ? new Promise((resolve) => waiting.add({ index, resolve })) : Promise.resolve(known)
    },
  }
}

function isBody(body: unknown): body is RequestBody {
  return isRecord(body) && Array.isArray(body['messages'])
}

function openExchange(
  body: RequestBody,
  signal: AbortSignal,
): { exchange: Exchange; response: Promise<Response>; message: Promise<unknown> } {
  const { promise: response, resolve, reject } = deferred<Response>()
  const { promise: message, resolve: answer, reject: refuse } = deferred<unknown>()
  response.catch(() => {})
  message.catch(() => {})
  const encoder = new TextEncoder()
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let opened = false
  let ended = false

  const write = (text: string): void => {
    exchange.open()
    if (!ended) controller?.enqueue(encoder.encode(text))
  }
  const fail = (error: unknown): void => {
    if (ended) return
    ended = true
    reject(error)
    refuse(error)
    if (opened) controller?.error(error)
  }
  signal.addEventListener('abort', () => fail(new DOMException('aborted', 'AbortError')), { once: true })

  const exchange: Exchange = {
    body,
    signal,
    streams: body['stream'] === true,
    open() {
      if (opened) return
      opened = true
      const stream = new ReadableStream<Uint8Array>({
        start(given) {
          controller = given
        },
        cancel() {
          ended = true
        },
      })
      resolve(new Response(stream, { headers: { 'content-type': 'text/event-stream' } }))
    },
    send: (event) => write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
    sendRaw: write,
    begin(text) {
      const head = {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'm',
        content: [],
        stop_reason: null,
        usage,
      }
      exchange.send({ type: 'message_start', message: head })
      exchange.send({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })
      exchange.more(text)
    },
    more: (text) => exchange.send({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
    finish(stopReason = 'end_turn') {
      exchange.send({ type: 'content_block_stop', index: 0 })
      exchange.send({ type: 'message_delta', delta: { stop_reason: stopReason, stop_sequence: null }, usage })
      exchange.send({ type: 'message_stop' })
      exchange.end()
    },
    end() {
      if (ended) return
      ended = true
      exchange.open()
      controller?.close()
    },
    fail,
    answer(content, stopReason = 'end_turn') {
      answer({ id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content, stop_reason: stopReason, usage })
    },
  }
  return { exchange, response, message }
}

/** Lets everything go on that waits for no timer of the test's clock and no socket. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 4; round++) await new Promise((resolve) => setImmediate(resolve))
}
