import type { ErrorCode, MillraceError } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import type { StreamEvent } from '@millrace/core/recovery'
import type { Refusal } from './upstream.ts'

/**
 * The API's type and status for faults that upstream may not have put into words. Any other is an `api_error`; a request that
 * upstream refuses keeps its words.
 */
const types: Partial<Readonly<Record<ErrorCode, readonly [type: string, status: number]>>> = {
  connect_timeout: ['timeout_error', 504],
  content_timeout: ['timeout_error', 504],
  idle_timeout: ['timeout_error', 504],
  overloaded: ['overloaded_error', 529],
  rate_limited: ['rate_limit_error', 429],
  request_timeout: ['timeout_error', 408],
}

const otherwise = ['api_error', 502] as const

/** Returns the event that ends a stream with `error`: upstream's own words, if it had any. */
export function errorEvent({ code, message, requestId, cause }: MillraceError): StreamEvent {
  // The body of a refusal is the cause of the cause, an `error` event the cause itself.
  const said = [cause, isRecord(cause) ? cause['cause'] : undefined].find(isApiError)
  if (said !== undefined) return said
  const [type] = types[code] ?? otherwise
  return { type: 'error', error: { type, message }, ...(requestId !== undefined && { request_id: requestId }) }
}

function isApiError(value: unknown): value is StreamEvent {
  return isRecord(value) && value['type'] === 'error' && isRecord(value['error'])
}

/**
 * Returns the answer to a request that failed before anything was sent: upstream's, with its status and body, or one that
 * says what happened. `x-should-retry` stops the client's own retries of what was retried here.
 */
export function errorResponse(error: MillraceError, refusal: Refusal | undefined, stopsRetries: boolean): Response {
  const { status, statusText, text } = refusal ?? {
    status: (types[error.code] ?? otherwise)[1],
    statusText: '',
    text: JSON.stringify(errorEvent(error)),
  }
  const headers = passedHeaders(refusal?.headers ?? new Headers())
  if (!headers.has('content-type')) headers.set('content-type', 'application/json')
  if (stopsRetries) headers.set('x-should-retry', 'false')
  return new Response(text, { status, statusText, headers })
}

/** Headers that say how the body came from upstream, and not how it goes on from here. */
const ofTheBody = ['content-encoding', 'content-length', 'transfer-encoding', 'connection', 'keep-alive']

/** Returns upstream's headers without those of its transfer. */
export function passedHeaders(given: Headers): Headers {
  const headers = new Headers(given)
  for (const name of ofTheBody) headers.delete(name)
  return headers
}
