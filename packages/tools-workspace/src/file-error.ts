import { ToolError } from '@millrace/core'

const explanations: Readonly<Record<string, string>> = {
  EACCES: 'may not be accessed: permission denied',
  EEXIST: 'exists already',
  EISDIR: 'is a folder',
  ELOOP: 'leads through too many symbolic links',
  EMFILE: 'could not be opened: too many open files',
  ENAMETOOLONG: 'is too long a path',
  ENOENT: 'does not exist',
  ENOSPC: 'could not be written: the disk is full',
  ENOTDIR: 'leads through something that is no folder',
  EPERM: 'may not be accessed: not permitted',
  EROFS: 'could not be written: the file system is read-only',
  EXDEV: 'lies on another file system',
}

export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** What to tell the model of a failed file operation: its own path, and nothing of the machine's. */
export function fileError(path: string, error: unknown): ToolError {
  if (error instanceof ToolError) return error
  const why = explanations[errorCode(error) ?? ''] ?? 'could not be used'
  return new ToolError(`"${path}" ${why}.`, { cause: error })
}
