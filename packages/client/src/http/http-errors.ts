import { type ErrorCode, isMillraceError, MillraceError } from '@millrace/core'
import { isProblem } from '@millrace/wire'
import { readText } from './read-text.ts'
import type { RequestWatch } from './request-watch.ts'

/** Characters of an error body that are read; a problem is short. */
const maxProblemChars = 65_536

const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'bad_request',
  401: 'authentication',
  403: 'permission',
  404: 'not_found',
  409: 'conflict',
  410: 'events_missed',
  413: 'request_too_large',
  429: 'rate_limited',
  503: 'overloaded',
}

/** Returns the error for an answer that is not 2xx. It is `retryable` if the same request may succeed later. */
export async function httpError(response: Response, now: number, watch: RequestWatch): Promise<MillraceError> {
  const { status } = response
  const isServerError = status >= 500
  const code = codes[status] ?? (isServerError ? 'server_error' : 'protocol_error')
  const { detail, path } = await readProblem(response, watch)
  const retryAfterMs = readRetryAfter(response.headers.get('retry-after'), now)
  return new MillraceError(code, detail ?? `the server answered with status ${status}`, {
    status,
    retryable: isServerError || status === 408 || status === 429,
    ...(path !== undefined && { path }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

async function readProblem(
  response: Response,
  watch: RequestWatch,
): Promise<{ readonly detail?: string; readonly path?: string }> {
  try {
    const body: unknown = JSON.parse(await readText(response, maxProblemChars, watch))
    if (!isProblem(body)) return {}
    const { title, detail = title, path } = body
    return { detail, ...(path !== undefined && { path }) }
  } catch {
    // For a proxy's page, or a body that broke off or never ended, only the status is known.
    return {}
  }
}

/** Seconds or a date, in milliseconds from now. */
function readRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null || header === '') return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}

/** The error of a watch over a stream. */
export function silence(limitMs: number, who: string): MillraceError {
  return new MillraceError('idle_timeout', `nothing was received from ${who} for ${limitMs} ms`, { retryable: true })
}

/** The error of a watch over any other request. */
export function noAnswer(limitMs: number, who: string): MillraceError {
  return new MillraceError('request_timeout', `${who} did not answer within ${limitMs} ms`, { retryable: true })
}

/**
 * Returns what a failed step of a request means: the watch's own error where that has aborted, `aborted` where the
 * caller did, and otherwise `code`.
 */
export function requestError(
  cause: unknown,
  { signal }: RequestWatch,
  code: 'connection_failed' | 'connection_lost',
): MillraceError {
  if (isMillraceError(cause)) return cause
  if (isMillraceError(signal.reason)) return signal.reason
  if (signal.aborted) return new MillraceError('aborted', 'the request was aborted', { cause: signal.reason })
  const message =
    code === 'connection_failed' ? 'the server cannot be reached' : 'the connection to the server was lost'
  return new MillraceError(code, message, { retryable: true, cause })
}
