import { isMillraceError } from '@millrace/core'
import { mediaTypes, type ProblemBody, type ProblemCode, problemStatus } from '@millrace/wire'

export interface ProblemOptions {
  /** The part of the request that is wrong: a field of the body, `after` or `Last-Event-ID`. */
  readonly path?: string | undefined
  /** The value of `Retry-After`, in seconds. */
  readonly retryAfter?: number
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * A request that is answered with problem details. Thrown inside the handler, and caught there. Where the operator is to
 * hear of its cause, whoever throws it has reported that before.
 */
export class ProblemError extends Error {
  override readonly name: string = 'ProblemError'
  readonly code: ProblemCode
  readonly path: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ProblemCode, detail: string, { path, retryAfter, headers = {} }: ProblemOptions = {}) {
    super(detail)
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

/** The answer to a request that failed here. It says nothing of the cause, which is the operator's to know. */
export function internalProblem(): ProblemError {
  return new ProblemError('internal', 'The request could not be served')
}

/** The answer to a request that a store failed; the same request may succeed later. */
export function storeProblem(): ProblemError {
  return new ProblemError('store_unavailable', 'Try again later', { retryAfter: 1 })
}

/** The answer while the handler shuts down: another instance may take the request. */
export function shutDownProblem(): ProblemError {
  return new ProblemError('shutting_down', 'This instance is shutting down: send the request again', { retryAfter: 1 })
}

export function eventsGone(): ProblemError {
  const detail = 'The events after the cursor have expired: follow from the start, without a cursor'
  return new ProblemError('events_gone', detail)
}

/**
 * Returns what `parse` reads from a request's body.
 *
 * @throws ProblemError `invalid_body`, with the path of what `parse` refuses
 */
export function parseBody<Body>(parse: () => Body): Body {
  try {
    return parse()
  } catch (error) {
    if (!isMillraceError(error, 'invalid_input')) throw error
    throw new ProblemError('invalid_body', error.message, { path: error.path })
  }
}

/** Returns the problem as problem details, RFC 9457. */
export function problemBody({ code, message, path }: ProblemError): ProblemBody {
  return {
    type: 'about:blank',
    title: titles[code],
    status: problemStatus[code],
    code,
    detail: message,
    ...(path !== undefined && { path }),
  }
}

/** Returns the response to a request that has this problem. */
export function problemResponse(problem: ProblemError): Response {
  return new Response(JSON.stringify(problemBody(problem)), {
    status: problemStatus[problem.code],
    headers: { 'content-type': mediaTypes.problem, 'cache-control': 'no-store', ...problem.headers },
  })
}
