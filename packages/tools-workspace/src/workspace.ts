import { realpathSync, statSync } from 'node:fs'
import { lstat, realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { MillraceError, ToolError } from '@millrace/core'
import { errorCode, fileError } from './file-error.ts'

/** A path inside the workspace. */
export interface Place {
  /** The path for the model: relative to the workspace, with forward slashes; `.` is the workspace itself. */
  readonly shown: string
  /** The real path, with every symbolic link followed. Inside the workspace. */
  readonly real: string
  /** Whether something is there. */
  readonly exists: boolean
}

/** A folder that paths cannot leave. */
export interface Workspace {
  readonly root: string
  /**
   * Checks a path from the model: relative to the workspace, or absolute inside it.
   *
   * @throws ToolError if it leads outside, by itself or through a symbolic link
   */
  locate(path: string): Promise<Place>
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path)
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way))
}

function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

/** Returns the real path of the longest part of `path` that exists, with the rest appended. */
async function realPrefix(path: string): Promise<{ real: string; exists: boolean }> {
  const missing: string[] = []
  for (let at = path; ; at = dirname(at)) {
    try {
      return { real: join(await realpath(at), ...missing), exists: missing.length === 0 }
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || dirname(at) === at) throw error
      // A link to nothing: its target cannot be checked, and may be outside.
      if (await isThere(at)) {
        throw new ToolError('The path leads through a symbolic link to something that does not exist.')
      }
      missing.unshift(basename(at))
    }
  }
}

/** @throws MillraceError `invalid_option` if `folder` is not a folder */
export function openWorkspace(folder: string): Workspace {
  let root: string
  try {
    root = realpathSync(folder)
    if (!statSync(root).isDirectory()) throw new Error('It is a file')
  } catch (cause) {
    throw new MillraceError('invalid_option', 'folder must be a folder that exists', { path: 'folder', cause })
  }
  // The folder as the operator named it, because the model may have been told this name.
  const named = resolve(folder)

  return {
    root,
    async locate(path) {
      const outside = (): ToolError =>
        new ToolError(`"${path}" is outside the workspace. Use a path relative to it, such as "src/main.ts".`)
      if (path === '' || path.includes('\0')) throw new ToolError('The path is empty, or contains a NUL character.')
      const lexical = resolve(root, isAbsolute(path) && isInside(named, path) ? relative(named, path) : path)
      if (!isInside(root, lexical)) throw outside()
      const { real, exists } = await realPrefix(lexical).catch((error: unknown) => {
        throw fileError(path, error)
      })
      if (!isInside(root, real)) throw outside()
      const shown = relative(root, lexical).split(sep).join('/')
      return { shown: shown === '' ? '.' : shown, real, exists }
    },
  }
}
