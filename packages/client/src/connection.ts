import { isMillraceError, MillraceError } from '@millrace/core'
import { type DecodedEvent, type EventDecoder, mediaTypes, ndjsonDecoder, sseDecoder } from '@millrace/wire'
import type { ClientSettings } from './client-options.ts'
import { connectionError, httpError } from './http-errors.ts'
import { type IdleWatch, idleWatch } from './idle-watch.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  /** Below the client's `url`, with its query. */
  readonly path: string
  readonly body?: object
  readonly accept: string
}

/** One request. @throws MillraceError where there is no answer, or one that is no success */
export async function send(settings: ClientSettings, request: HttpRequest, signal: AbortSignal): Promise<Response> {
  const { method, path, body, accept } = request
  const headers = await settings.headers()
  let response: Response
  try {
    response = await settings.fetch(`${settings.url}${path}`, {
      method,
      signal,
      headers: { ...headers, accept, ...(body && { 'content-type': mediaTypes.json }) },
      ...(body && { body: JSON.stringify(body) }),
    })
  } catch (cause) {
    throw isMillraceError(signal.reason) ? signal.reason : connectionError(cause)
  }
  if (!response.ok) throw await httpError(response, settings.clock.now())
  return response
}

/** The answer to one request for events: batches of what its reads complete, until the connection ends. */
export interface Connection {
  readonly batches: AsyncIterable<readonly DecodedEvent[]>
  /** False where the run is closed and no event follows the cursor. */
  readonly hasEvents: boolean
  /** How long the server asks to wait before reconnecting, in milliseconds. */
  readonly retryMs: () => number | undefined
}

/**
 * Opens an event stream. `signal` ends it; so does silence, which `batches` then throws as `idle_timeout`.
 *
 * @throws MillraceError
 */
export async function openConnection(
  settings: ClientSettings,
  request: Omit<HttpRequest, 'accept'>,
  signal: AbortSignal,
): Promise<Connection> {
  const { format, maxEventChars, clock, idleTimeoutMs } = settings
  const accept = mediaTypes[format]
  const idle = idleWatch(clock, idleTimeoutMs, signal)
  let response: Response
  try {
    response = await send(settings, { ...request, accept }, idle.signal)
    checkMediaType(response, accept)
  } catch (error) {
    idle.dispose()
    throw error
  }
  const decoder = format === 'sse' ? sseDecoder({ maxEventChars }) : ndjsonDecoder({ maxEventChars })
  return {
    hasEvents: response.status !== 204,
    retryMs: () => decoder.retryMs,
    batches: readBatches(response, decoder, idle),
  }
}

function checkMediaType(response: Response, accept: string): void {
  const given = response.headers.get('content-type') ?? ''
  if (response.status === 204 || given.startsWith(accept)) return
  response.body?.cancel().catch(() => undefined)
  throw new MillraceError('not_a_stream', `the server answered with ${given || 'no content type'} instead of ${accept}`)
}

async function* readBatches(
  response: Response,
  decoder: EventDecoder,
  idle: IdleWatch,
): AsyncIterable<readonly DecodedEvent[]> {
  const reader = response.body?.getReader()
  try {
    for (;;) {
      if (!reader) return
      idle.listen()
      const { done, value } = await reader.read()
      idle.rest()
      if (done) return
      const events = decoder.push(value)
      if (events.length > 0) yield events
    }
  } catch (cause) {
    if (isMillraceError(idle.signal.reason)) throw idle.signal.reason
    if (isMillraceError(cause)) throw cause
    throw new MillraceError('connection_lost', 'the connection to the server was lost', { retryable: true, cause })
  } finally {
    idle.dispose()
    reader?.cancel().catch(() => undefined)
  }
}
