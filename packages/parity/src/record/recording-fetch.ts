import type { OpenExchange } from './open-exchange.ts'
import type { Recorder } from './recorder.ts'

/** What the SDK's `fetch` option takes. */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

export interface RecordingFetchOptions {
  readonly recorder: Recorder
  /** The fetch that sends requests. Default: the platform's. */
  readonly fetch?: Fetch
}

/**
 * Returns a fetch that records what goes to the Messages API, for the SDK: `new Anthropic({ fetch })`. Requests and
 * answers pass unchanged, streams piece by piece. Recording never fails a request.
 */
export function recordingFetch({ recorder, fetch = globalThis.fetch }: RecordingFetchOptions): Fetch {
  return async (input, init) => {
    const exchange = begin(recorder, input, init)
    if (exchange === undefined) return fetch(input, init)
    const isCancelled = (): boolean => init?.signal?.aborted === true
    try {
      const response = await fetch(input, init)
      exchange.answerHead(response.status, (name) => response.headers.get(name) ?? undefined)
      if (response.body === null) {
        exchange.answerEnd()
        return response
      }
      const { status, statusText, headers } = response
      const body = watched(response.body, exchange, isCancelled)
      const copy = new Response(body, { status, statusText, headers })
      // A response that is constructed has no URL, and the SDK logs it.
      Object.defineProperty(copy, 'url', { value: response.url })
      return copy
    } catch (error) {
      exchange.fail(isCancelled() ? 'client_left' : 'connection_failed')
      throw error
    }
  }
}

function begin(
  recorder: Recorder,
  input: string | URL | Request,
  init: RequestInit | undefined,
): OpenExchange | undefined {
  const request = input instanceof Request ? input : undefined
  const url = new URL(input instanceof Request ? input.url : input)
  const method = init?.method ?? request?.method ?? 'GET'
  const body = bytesOf(init?.body)
  // A body that is a stream can be read only once, so it is left alone.
  if (method.toUpperCase() !== 'POST' || !isMessagesPath(url.pathname) || body === undefined) return undefined
  const headers = new Headers(init?.headers ?? request?.headers)
  const exchange = recorder.open({
    header: (name) => headers.get(name) ?? undefined,
    isBeta: url.searchParams.get('beta') === 'true',
  })
  exchange.requestBytes(body)
  exchange.requestEnd()
  return exchange
}

/** Whether a path is that of the Messages API, with any prefix. */
export function isMessagesPath(path: string): boolean {
  return path.endsWith('/v1/messages')
}

function bytesOf(body: unknown): Uint8Array | undefined {
  if (typeof body === 'string') return new TextEncoder().encode(body)
  if (body instanceof Uint8Array) return body
  return body instanceof ArrayBuffer ? new Uint8Array(body) : undefined
}

/**
 * Returns the same body, with each piece shown to the recorder as it passes. It is read only as fast as the caller
 * reads.
 */
function watched(
  body: ReadableStream<Uint8Array>,
  exchange: OpenExchange,
  isCancelled: () => boolean,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (done) {
            exchange.answerEnd()
            controller.close()
            return
          }
          exchange.answerBytes(value)
          controller.enqueue(value)
        } catch (error) {
          exchange.fail(isCancelled() ? 'client_left' : 'cut')
          controller.error(error)
        }
      },
      async cancel(reason) {
        exchange.fail('client_left')
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}
