import { isMillraceError, MillraceError } from '@millrace/core'

interface Problem {
  readonly message: string
  readonly retryable: boolean
}

const unreachable: Problem = { message: 'the Postgres server cannot be reached', retryable: true }

/** By the class of an SQLSTATE, its first two characters. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const problems: ReadonlyMap<string, Problem> = new Map([
  ['08', unreachable],
  ['57', unreachable],
  ['25', { message: 'the Postgres server is read-only', retryable: true }],
  ['28', { message: 'the Postgres server refused the login', retryable: false }],
  ['40', { message: 'the Postgres server rolled a transaction back', retryable: true }],
  ['42', { message: 'the Postgres schema or its permissions are not as expected', retryable: false }],
  ['53', { message: 'the Postgres server is out of disk, memory or connections', retryable: true }],
  ['3F', { message: 'the Postgres schema is missing', retryable: false }],
])

/** Returns what `pg` threw as `store_unavailable`; an error of ours is returned as it is. */
export function storeError(cause: unknown): MillraceError {
  if (isMillraceError(cause)) return cause
  const state = sqlState(cause)
  const { message, retryable } =
    state === undefined
      ? unreachable
      : (problems.get(state.slice(0, 2)) ?? { message: 'the Postgres server refused a statement', retryable: false })
  return new MillraceError('store_unavailable', message, { retryable, cause })
}

/** Whether the same call may succeed soon: the connection was lost, or the server is starting, stopping or was too busy. */
export function isPassing(error: unknown): boolean {
  if (isMillraceError(error)) return false
  const state = sqlState(error)
  return state === undefined || ['08', '57', '40', '53'].includes(state.slice(0, 2))
}

/** The error for something larger than the option at `path` allows. */
export function tooLarge(path: string, limit: number): MillraceError {
  return new MillraceError('store_unavailable', `the store is full: ${path} is ${limit}`, { path })
}

export function unavailable(message: string, cause?: unknown): MillraceError {
  return new MillraceError('store_unavailable', message, { retryable: true, cause })
}

/** The SQLSTATE of an error of the server; undefined for one of the connection. */
function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return /^[0-9A-Z]{5}$/.test(error.code) && 'severity' in error ? error.code : undefined
}

/** Whether the statement cannot have been carried out: there was no connection to send it on. */
export function isUnsent(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return ['ECONNREFUSED', 'ENOENT', '57P03', '53300'].includes(String(error.code))
}
