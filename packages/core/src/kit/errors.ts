import { isRecord } from './guards.ts'

/** What went wrong with an option, an argument or a message list: thrown at once, before anything runs. */
export type ConfigErrorCode =
  | 'duplicate_tool'
  | 'invalid_input'
  | 'invalid_messages'
  | 'invalid_option'
  | 'invalid_schema'
  | 'unknown_option'

/** What can go wrong between us and the model. Each is also the `reason` of a `fallback` event. */
export type FaultCode =
  | 'authentication'
  | 'bad_request'
  | 'billing'
  | 'buffer_overflow'
  | 'conflict'
  | 'connect_timeout'
  | 'connection_failed'
  | 'connection_lost'
  | 'content_timeout'
  | 'empty_answer'
  | 'garbage'
  | 'idle_timeout'
  | 'internal'
  | 'invalid_tool_input'
  | 'not_a_stream'
  | 'not_found'
  | 'overloaded'
  | 'permission'
  | 'protocol_error'
  | 'rate_limited'
  | 'request_timeout'
  | 'request_too_large'
  | 'server_error'
  | 'stream_error'
  | 'truncated'

/** What ends a run, or is reported beside it, for a reason of our own. */
export type RunErrorCode =
  | 'aborted'
  | 'cannot_retract'
  | 'callback_failed'
  | 'crash_loop'
  | 'events_missed'
  | 'flag_failed'
  | 'lease_lost'
  | 'legacy_failed'
  | 'legacy_outcome_unknown'
  | 'middleware_failed'
  | 'run_moved'
  | 'server_tool_outcome_unknown'
  | 'store_unavailable'
  | 'time_limit'
  | 'tool_outcome_unknown'
  | 'tool_timeout'

export type ErrorCode = ConfigErrorCode | FaultCode | RunErrorCode

export interface MillraceErrorOptions {
  /** The option or argument that is wrong, such as `limits.turns` or `tools[2].name`. */
  readonly path?: string
  /** Whether the same request may succeed later. Default: false. */
  readonly retryable?: boolean
  /** HTTP status of the model API's answer, where there was one. */
  readonly status?: number
  /** The model API's request id, for its support. */
  readonly requestId?: string
  /** How long the model API asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number
  /** The original error. It stays on the server: no event or callback argument is made from it. */
  readonly cause?: unknown
}

/**
 * The one error class of Millrace. `message` is written for a client to read: it never holds an upstream body, a key,
 * a stack trace or a path of the machine. Recognise it by `isMillraceError`, not by `instanceof`, which fails where two
 * copies of the package are loaded.
 */
export class MillraceError extends Error {
  override readonly name: string = 'MillraceError'
  readonly code: ErrorCode
  readonly path: string | undefined
  readonly retryable: boolean
  readonly status: number | undefined
  readonly requestId: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, options: MillraceErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.path = options.path
    this.retryable = options.retryable ?? false
    this.status = options.status
    this.requestId = options.requestId
    this.retryAfterMs = options.retryAfterMs
  }
}

/** Whether `error` is a {@link MillraceError}, from any copy of the package, and of `code` where one is given. */
export function isMillraceError(error: unknown, code?: ErrorCode): error is MillraceError {
  if (!isRecord(error) || error['name'] !== 'MillraceError' || typeof error['code'] !== 'string') return false
  return code === undefined || error['code'] === code
}

/** Whatever was thrown, as an error of ours; what we did not expect is our defect. */
export function asMillraceError(cause: unknown): MillraceError {
  return isMillraceError(cause) ? cause : new MillraceError('internal', 'Millrace failed inside', { cause })
}

/** An error as a client may see it. */
export interface ClientError {
  readonly code: ErrorCode
  readonly message: string
  readonly retryable: boolean
  readonly requestId?: string
}

/** The part of an error that may travel. */
export function clientError({ code, message, retryable, requestId }: MillraceError): ClientError {
  return requestId === undefined ? { code, message, retryable } : { code, message, retryable, requestId }
}
