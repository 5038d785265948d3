import { ToolError } from '@millrace/core'

const explanations: Readonly<Record<string, string>> = {
  EACCES: 'may not be accessed: permission denied',
  EEXIST: 'already exists',
  EISDIR: 'is a folder',
  ELOOP: 'leads through too many symbolic links',
  EMFILE: 'could not be opened: too many open files',
  ENAMETOOLONG: 'is too long',
  ENOENT: 'does not exist',
  ENOSPC: 'could not be written: the disk is full',
  ENOTDIR: 'leads through something that is not a folder',
  EPERM: 'may not be accessed: not permitted',
  EROFS: 'could not be written: the file system is read-only',
  EXDEV: 'is on another file system',
}

/** Returns the code of a system error, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Makes the error of a failed file operation for the model. It has the path that the model gave, and no other. */
export function fileError(path: string, error: unknown): ToolError {
  if (error instanceof ToolError) return error
  const why = explanations[errorCode(error) ?? ''] ?? 'could not be used'
  return new ToolError(`"${path}" ${why}.`, { cause: error })
}
