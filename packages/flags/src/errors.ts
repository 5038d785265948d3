import type { FlagIssue } from './issues.ts'

/**
 * A flag document or an environment was refused. Recognise the error by {@link isFlagFormatError}.
 *
 * `code` is always `invalid_flags`. `issues` has what is wrong, and where.
 */
export class FlagFormatError extends Error {
  override readonly name: string = 'FlagFormatError'
  readonly code = 'invalid_flags' as const
  readonly issues: readonly FlagIssue[]

  constructor(message: string, issues: readonly FlagIssue[]) {
    super(message)
    this.issues = issues
  }
}

/** Returns whether `error` is a {@link FlagFormatError}, from any copy of the package. */
export function isFlagFormatError(error: unknown): error is FlagFormatError {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    error.code === 'invalid_flags' &&
    'issues' in error
  )
}
