import { realpathSync, statSync } from 'node:fs'
import { lstat, realpath } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { MillraceError, ToolError } from '@millrace/core'
import { errorCode, fileError } from './file-error.ts'

/** A path that was checked. */
export interface Place {
  /** As it is shown to the model: relative to the workspace, with forward slashes; `.` for the workspace itself. */
  readonly shown: string
  /** Where it really is, every symbolic link followed. Inside the workspace. */
  readonly real: string
  /** False where nothing is there yet. */
  readonly exists: boolean
}

/** A folder that paths cannot leave. */
export interface Workspace {
  readonly root: string
  /**
   * Checks a path that a model gave: relative to the workspace, or absolute inside it.
   *
   * @throws ToolError where it leads outside, by itself or by a symbolic link
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

/** The real path of what exists of `path`, from its end upwards, with the rest appended. */
async function realPrefix(path: string): Promise<{ real: string; exists: boolean }> {
  const missing: string[] = []
  for (let at = path; ; at = dirname(at)) {
    try {
      return { real: join(await realpath(at), ...missing), exists: missing.length === 0 }
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || dirname(at) === at) throw error
      // A link to nothing: where it leads cannot be checked, and may be outside.
      if (await isThere(at))
        throw new ToolError('The path leads through a symbolic link to something that does not exist.')
      missing.unshift(basename(at))
    }
  }
}

/** @throws MillraceError `invalid_option` where `folder` is no folder */
export function openWorkspace(folder: string): Workspace {
  let root: string
  try {
    root = realpathSync(folder)
    if (!statSync(root).isDirectory()) throw new Error('It is a file')
  } catch (cause) {
    throw new MillraceError('invalid_option', 'workspaceTools: folder must be a folder that exists', {
      path: 'folder',
      cause,
    })
  }
  // The folder as it was named: a model that was told this name may use it.
  const named = resolve(folder)

  return {
    root,
    async locate(path) {
      const outside = (): ToolError =>
        new ToolError(`"${path}" is outside the workspace. Use a path relative to it, such as "src/main.ts".`)
      if (path === '' || path.includes('\0')) throw new ToolError('The path is empty, or holds a NUL character.')
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
