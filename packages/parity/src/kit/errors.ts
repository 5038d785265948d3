/** What went wrong with a cassette, an agent's module or the machine. A wrong option is a `MillraceError`. */
export type ParityErrorCode =
  | 'invalid_cassette'
  | 'unsupported_version'
  | 'read_failed'
  | 'write_failed'
  | 'listen_failed'
  | 'upstream_failed'
  | 'not_recorded'
  | 'agent_failed'

/**
 * The one error class of this package. `message` holds no key, no body and nothing that was redacted. Recognise it by
 * {@link isParityError}, which works across two copies of the package as well.
 */
export class ParityError extends Error {
  override readonly name: string = 'ParityError'
  readonly code: ParityErrorCode
  /** What is wrong, such as `exchanges[2].answer.kind`. */
  readonly path: string | undefined

  constructor(
    code: ParityErrorCode,
    message: string,
    options: { readonly path?: string; readonly cause?: unknown } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.path = options.path
  }
}

/** Whether `error` is a {@link ParityError}, from any copy of the package, and of `code` if one is given. */
export function isParityError(error: unknown, code?: ParityErrorCode): error is ParityError {
  if (typeof error !== 'object' || error === null) return false
  if (!('name' in error) || error.name !== 'ParityError') return false
  if (!('code' in error) || typeof error.code !== 'string') return false
  return code === undefined || error.code === code
}
