import { isMillraceError, type MillraceError } from '@millrace/core'
import { mediaTypes, type ProblemBody, type ProblemCode, problemStatus } from '@millrace/wire'

export interface ProblemOptions {
  /** What of the request is wrong: a field of the body, `after` or `Last-Event-ID`. */
  readonly path?: string | undefined
  /** What goes into `Retry-After`, in seconds. */
  readonly retryAfter?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Stays on the server. */
  readonly cause?: unknown
}

/** A request that is answered with problem details. Thrown inside the handler, and caught there. */
export class ProblemError extends Error {
  override readonly name: string = 'ProblemError'
  readonly code: ProblemCode
  readonly path: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ProblemCode, detail: string, { path, retryAfter, headers = {}, cause }: ProblemOptions = {}) {
    super(detail, { cause })
    this.code = code
    this.path = path
    this.headers = retryAfter === undefined ? headers : { ...headers, 'retry-after': String(Math.ceil(retryAfter)) }
  }
}

const titles: Readonly<Record<ProblemCode, string>> = {
  body_too_large: 'The body is too large',
  cursor_ahead: 'The cursor is ahead of the run',
  events_gone: 'The events are gone',
  forbidden: 'Forbidden',
  internal: 'Internal error',
  invalid_body: 'Invalid body',
  invalid_cursor: 'Invalid cursor',
  method_not_allowed: 'Method not allowed',
  not_acceptable: 'Not acceptable',
  not_found: 'Not found',
  request_timeout: 'The request took too long',
  session_busy: 'The session is busy',
  shutting_down: 'Shutting down',
  store_unavailable: 'The store is unavailable',
  too_many_runs: 'Too many requests',
  unauthorized: 'Unauthorized',
  unsupported_media_type: 'Unsupported media type',
}

/** The problem that an error is answered with. What is not known to be written for a client says nothing. */
export function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error
  if (isMillraceError(error)) return fromMillrace(error)
  return new ProblemError('internal', 'The request could not be served', { cause: error })
}

function fromMillrace(error: MillraceError): ProblemError {
  switch (error.code) {
    case 'invalid_input':
    case 'invalid_messages':
      return new ProblemError('invalid_body', error.message, { path: error.path, cause: error })
    case 'store_unavailable':
      return new ProblemError('store_unavailable', 'Try again later', { retryAfter: 1, cause: error })
    case 'events_missed':
      return new ProblemError(
        'events_gone',
        'The events after the cursor are gone: follow from the start, without a cursor',
        {
          cause: error,
        },
      )
    default:
      return new ProblemError('internal', 'The request could not be served', { cause: error })
  }
}

/** Problem details, RFC 9457. */
export function problemResponse({ code, message, path, headers }: ProblemError): Response {
  const body: ProblemBody = {
    type: 'about:blank',
    title: titles[code],
    status: problemStatus[code],
    code,
    detail: message,
    ...(path !== undefined && { path }),
  }
  return new Response(JSON.stringify(body), {
    status: body.status,
    headers: { 'content-type': mediaTypes.problem, 'cache-control': 'no-store', ...headers },
  })
}
