/**
 * What went wrong.
 * - `invalid_option`: an option, script, fault plan or loop report has the wrong shape; `path` says where
 * - `server_closed`: the server was closed while something waited for it
 * - `listen_failed`: the port could not be opened
 */
export type TestingErrorCode = 'invalid_option' | 'server_closed' | 'listen_failed'

/** The one error class of this package. Recognise it by {@link isTestingError}. */
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

/** Whether `value` is a {@link TestingError}, from any copy of the package. */
export function isTestingError(value: unknown): value is TestingError {
  return value instanceof Error && value.name === 'TestingError' && 'code' in value
}

/** Returns an `invalid_option` error. Its message is the path and what is wrong there, such as `must be a list`. */
export function invalidOption(path: string, problem: string): TestingError {
  return new TestingError('invalid_option', `${path} ${problem}`, { path })
}

/** Returns an `invalid_option` error for a name that does not exist, such as an option or a layout. */
export function unknownName(what: string, name: string, known: readonly string[], path: string = name): TestingError {
  return new TestingError('invalid_option', `unknown ${what} "${name}"; expected one of ${known.join(', ')}`, { path })
}

/** Throws `invalid_option` for the first option that is not among the `known` ones. */
export function checkNames(options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown !== undefined) throw unknownName('option', unknown, known)
}
