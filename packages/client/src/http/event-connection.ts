import { MillraceError } from '@millrace/core'
import { type DecodedEvent, type EventDecoder, mediaTypes, ndjsonDecoder, sseDecoder } from '@millrace/wire'
import type { ClientSettings } from './client-options.ts'
import { requestError, silence } from './http-errors.ts'
import { type RequestWatch, watchRequest } from './request-watch.ts'
import { type HttpRequest, send } from './send.ts'

/** The answer to one request for events: batches of what its reads complete, until the connection ends. */
export interface EventConnection {
  readonly batches: AsyncIterable<readonly DecodedEvent[]>
  /** False where the run is closed and no event follows the cursor. */
  readonly hasEvents: boolean
  /** How long the server asks to wait before reconnecting, in milliseconds. */
  readonly retryMs: () => number | undefined
}

/**
 * Opens an event stream. `signal` ends it. Silence of `idleTimeoutMs` ends it too, and is thrown as `idle_timeout`, here
 * or by `batches`.
 *
 * @throws MillraceError
 */
export async function openConnection(
  settings: ClientSettings,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<EventConnection> {
  const { format, maxEventChars, clock, idleTimeoutMs } = settings
  const accept = mediaTypes[format]
  const watch = watchRequest(clock, idleTimeoutMs, signal, silence)
  let response: Response
  try {
    response = await send(settings, request, accept, watch)
    checkMediaType(response, accept)
  } catch (error) {
    watch.dispose()
    throw error
  }
  const decoder = format === 'sse' ? sseDecoder({ maxEventChars }) : ndjsonDecoder({ maxEventChars })
  return {
    hasEvents: response.status !== 204,
    retryMs: () => decoder.retryMs,
    batches: readBatches(response, decoder, watch),
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
  watch: RequestWatch,
): AsyncIterable<readonly DecodedEvent[]> {
  const reader = response.body?.getReader()
  try {
    for (;;) {
      if (!reader) return
      watch.listen()
      const { done, value } = await watch.race(reader.read())
      watch.rest()
      if (done) return
      const events = decoder.push(value)
      if (events.length > 0) yield events
    }
  } catch (cause) {
    throw requestError(cause, watch, 'connection_lost')
  } finally {
    watch.dispose()
    reader?.cancel().catch(() => undefined)
  }
}
