import { type ErrorCode, MillraceError } from '@millrace/core'
import { isProblem } from '@millrace/wire'

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

/** What an answer that is not 2xx means. `retryable` where the same request may succeed later. */
export async function httpError(response: Response, now: number): Promise<MillraceError> {
  const { status } = response
  const isServerError = status >= 500
  const code = codes[status] ?? (isServerError ? 'server_error' : 'protocol_error')
  const { detail, path } = await readProblem(response)
  const retryAfterMs = readRetryAfter(response.headers.get('retry-after'), now)
  return new MillraceError(code, detail ?? `the server answered with status ${status}`, {
    status,
    retryable: isServerError || status === 408 || status === 429,
    ...(path !== undefined && { path }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

async function readProblem(response: Response): Promise<{ readonly detail?: string; readonly path?: string }> {
  try {
    const text = await readText(response)
    const body: unknown = JSON.parse(text)
    if (!isProblem(body)) return {}
    const { title, detail = title, path } = body
    return { detail, ...(path !== undefined && { path }) }
  } catch {
    // A proxy's page, or nothing: the status says what can be said.
    return {}
  }
}

async function readText(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  if (!reader) return ''
  const decoder = new TextDecoder()
  let text = ''
  try {
    while (text.length < maxProblemChars) {
      const { done, value } = await reader.read()
      if (done) break
      text += decoder.decode(value, { stream: true })
    }
    return text
  } finally {
    reader.cancel().catch(() => undefined)
  }
}

/** Seconds or a date, in milliseconds from now. */
function readRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null || header === '') return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}

/** A request that got no answer. */
export function connectionError(cause: unknown): MillraceError {
  return new MillraceError('connection_failed', 'the server cannot be reached', { retryable: true, cause })
}
