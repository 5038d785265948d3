import { isMillraceError, MillraceError } from '@millrace/core'

/** Primary result codes of SQLite: the lowest byte of an extended one. https://sqlite.org/rescode.html */
const resultCodes = { busy: 5, locked: 6, readOnly: 8, io: 10, corrupt: 11, full: 13, cantOpen: 14, notADatabase: 26 }

interface Problem {
  readonly message: string
  /** Whether the same write may succeed later, with nothing restarted. */
  readonly retryable: boolean
}

const problems: ReadonlyMap<number | undefined, Problem> = new Map([
  [resultCodes.busy, { message: 'the SQLite database is locked by another process', retryable: true }],
  [resultCodes.locked, { message: 'the SQLite database is locked by another process', retryable: true }],
  [resultCodes.readOnly, { message: 'the SQLite database is read-only', retryable: false }],
  [resultCodes.io, { message: 'the SQLite database file could not be read or written', retryable: true }],
  [resultCodes.corrupt, { message: 'the SQLite database file is damaged', retryable: false }],
  [resultCodes.full, { message: 'the SQLite database, or its disk, is full', retryable: true }],
  [resultCodes.cantOpen, { message: 'the SQLite database file cannot be opened', retryable: false }],
  [resultCodes.notADatabase, { message: 'the file is not an SQLite database', retryable: false }],
])

/** Returns what SQLite threw as `store_unavailable`; an error of ours is returned as it is. */
export function storeError(cause: unknown): MillraceError {
  if (isMillraceError(cause)) return cause
  const { message, retryable } = problems.get(resultCode(cause)) ?? {
    message: 'the SQLite database failed',
    retryable: false,
  }
  return new MillraceError('store_unavailable', message, { retryable, cause })
}

/** Whether another process holds the lock, so that the same call succeeds once it lets go. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error)
  return code === resultCodes.busy || code === resultCodes.locked
}

/** The error for something larger than the option at `path` allows. */
export function tooLarge(path: string, limit: number): MillraceError {
  return new MillraceError('store_unavailable', `the store is full: ${path} is ${limit}`, { path })
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined
  return error.errcode & 0xff
}
