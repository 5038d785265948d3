import { getSystemErrorMap } from 'node:util'

/** A file cannot be read or written. The message has the path as the user gave it, and none of the command's own files. */
export class FileError extends Error {
  readonly reason: string

  constructor(verb: 'read' | 'write', path: string, reason: string) {
    super(`cannot ${verb} "${path}": ${reason}`)
    this.reason = reason
  }
}

/** Describes an error of the system without its paths: `no such file or directory (ENOENT)`. */
export function describeSystemError(error: unknown): string {
  if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') return 'unknown error'
  const [code, message] = getSystemErrorMap().get(error.errno) ?? ['UNKNOWN', 'unknown error']
  return `${message} (${code})`
}

/** Returns the code of a system error, such as `ENOENT`. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
