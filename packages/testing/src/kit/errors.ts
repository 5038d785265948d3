/**
 * What went wrong:
 * - `invalid_option`: an option, script, fault plan or loop report has the wrong shape; `path` says where
 * - `server_closed`: the server was closed while something waited for it
 * - `listen_failed`: the port could not be opened
 */
export type TestingErrorCode = 'invalid_option' | 'server_closed' | 'listen_failed'

/** The one error class of this package. */
export class TestingError extends Error {
  override readonly name = 'TestingError'
  readonly code: TestingErrorCode
  /** The option that is wrong, such as `faults[2].at.event`. */
  readonly path: string | undefined

  constructor(code: TestingErrorCode, message: string, details: { path?: string; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.path = details.path
  }
}

export function isTestingError(value: unknown): value is TestingError {
  return value instanceof Error && value.name === 'TestingError' && 'code' in value
}

/** An `invalid_option` error whose message starts with the path. */
export function invalidOption(path: string, expected: string): TestingError {
  return new TestingError('invalid_option', `${path}: ${expected}`, { path })
}
