/** Why a program did not start. */
export type SubprocessErrorCode = 'command_not_found' | 'not_executable' | 'bad_folder' | 'spawn_failed'

/** A program did not start. A program that started and failed is a result, not an error. */
export class SubprocessError extends Error {
  override readonly name: string = 'SubprocessError'
  readonly code: SubprocessErrorCode

  constructor(code: SubprocessErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Whether `error` is a {@link SubprocessError}, from any copy of the package. */
export function isSubprocessError(error: unknown): error is SubprocessError {
  return error instanceof Error && error.name === 'SubprocessError' && 'code' in error
}
