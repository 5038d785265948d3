import { type CancelTimer, type Clock, MillraceError } from '@millrace/core'

/** The headers of every request, or a function that makes them. They are never part of a log, an error or a description. */
export type RequestHeaders =
  | Readonly<Record<string, string>>
  | (() => Readonly<Record<string, string>> | PromiseLike<Readonly<Record<string, string>>>)

/** How requests are made. */
export interface Transport {
  readonly fetch: typeof globalThis.fetch
  readonly clock: Clock
  readonly headers: RequestHeaders
  /** The longest that a whole request may take, headers and body, in milliseconds. */
  readonly timeout: number
  readonly maxBytes: number
}

/** The result of a request. */
export type Fetched =
  | { readonly status: 'text'; readonly text: string; readonly contentType: string; readonly etag: string | undefined }
  | { readonly status: 'not_modified' }
  /** `httpStatus` is absent if there was no answer. `message` contains no address, header or body. */
  | {
      readonly status: 'failed'
      readonly message: string
      readonly httpStatus?: number
      readonly retryAfterMs?: number
    }

export interface TextRequest {
  readonly url: URL
  readonly etag?: string | undefined
  /** Posted as JSON. Without it, the request is a GET. */
  readonly body?: string
}

/** Makes a request and reads the whole answer. Never rejects, and never takes longer than the transport's timeout. */
export async function fetchText(request: TextRequest, transport: Transport, signal: AbortSignal): Promise<Fetched> {
  const { clock, timeout } = transport
  const ending = new AbortController()
  const end = (): void => ending.abort()
  let cancel: CancelTimer = () => {}
  // A race, because the abort is not enough: the function for headers, or a custom `fetch`, may ignore it.
  const late = new Promise<Fetched>((resolve) => {
    const stop = (message: string) => (): void => {
      end()
      resolve({ status: 'failed', message })
    }
    cancel = clock.setTimer(stop(`did not answer within ${timeout} ms`), timeout)
    signal.addEventListener('abort', stop('was closed'), { once: true, signal: ending.signal })
  })
  try {
    return await Promise.race([exchange(request, transport, ending.signal), late])
  } finally {
    cancel()
    // Ends the rest of the answer, and removes the listener.
    end()
  }
}

async function exchange(request: TextRequest, transport: Transport, signal: AbortSignal): Promise<Fetched> {
  const { headers, fetch, maxBytes, clock } = transport
  try {
    const own = typeof headers === 'function' ? await headers() : headers
    const response = await send(fetch, request.url, {
      method: request.body === undefined ? 'GET' : 'POST',
      headers: {
        accept: 'application/json',
        ...own,
        ...(request.etag !== undefined && { 'if-none-match': request.etag }),
        ...(request.body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(request.body !== undefined && { body: request.body }),
      // A redirect could carry an API key to another host.
      redirect: 'error',
      signal,
    })
    if (response.status === 304 && request.etag !== undefined) return { status: 'not_modified' }
    if (response.status !== 200) {
      const retryAfterMs = readRetryAfter(response.headers.get('retry-after'), clock.now())
      return {
        status: 'failed',
        message: `answered ${response.status}`,
        httpStatus: response.status,
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      }
    }
    const text = await readBody(response, maxBytes)
    if (text === undefined)
      return { status: 'failed', message: `answered with more than ${maxBytes} bytes`, httpStatus: 200 }
    const contentType = response.headers.get('content-type') ?? ''
    return { status: 'text', text, contentType, etag: response.headers.get('etag') ?? undefined }
  } catch (error) {
    return { status: 'failed', message: `could not be asked${codeOf(error)}` }
  }
}

/**
 * A server may close a kept-alive connection just as a request is sent on it. That does not mean that the server is down, and an
 * evaluation changes nothing there. So a connection that is lost before the answer begins is replaced once.
 */
async function send(fetch: typeof globalThis.fetch, url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (error) {
    if (init.signal?.aborted === true || !lostConnection.has(systemCode(error) ?? '')) throw error
    return fetch(url, init)
  }
}

/** Error codes of the system, and of the client behind Node's `fetch`. */
const lostConnection: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

/** Returns the body as text, or undefined if it is too large. Throws if it is not UTF-8. */
async function readBody(response: Response, maxBytes: number): Promise<string | undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  if (response.body === null) return ''
  const reader = response.body.getReader()
  let text = ''
  let length = 0
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    length += chunk.value.byteLength
    if (length > maxBytes) return undefined
    text += decoder.decode(chunk.value, { stream: true })
  }
  return text + decoder.decode()
}

/** A longer Retry-After is cut, because it would delay a kill. In milliseconds. */
const longestRetryAfter = 300_000

function readRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), longestRetryAfter)
}

/** Returns only the code of a system error, because messages of `fetch` contain addresses. */
function codeOf(error: unknown): string {
  const code = systemCode(error)
  return code !== undefined && /^[A-Z_]{1,40}$/.test(code) ? ` (${code})` : ''
}

function systemCode(error: unknown): string | undefined {
  const cause = typeof error === 'object' && error !== null && 'cause' in error ? error.cause : error
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : undefined
}

/**
 * Reads the address in an option.
 *
 * @throws MillraceError `invalid_option`, with a message that does not repeat the address
 */
export function readAddress(address: string | URL, path: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new MillraceError('invalid_option', `${path} must be an http or https address`, { path })
  }
  if (url.username !== '' || url.password !== '') {
    throw new MillraceError('invalid_option', `${path} must not contain a user or password: use the option "headers"`, {
      path,
    })
  }
  return url
}
