import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'

/** Read-only access to one folder. */
export interface Folder {
  /** Its absolute path, with symbolic links resolved. */
  readonly root: string
  /**
   * Lists the files at or under `path`, relative to the folder and sorted, at most `limit` of them. Leaves out hidden
   * files, symbolic links, dependencies and build output. Rejects with the signal's reason.
   */
  list(path: string, options: { readonly limit: number; readonly signal?: AbortSignal }): Promise<string[]>
  /** Reads a file. Rejects when it is outside the folder, hidden, or longer than `limit` bytes. */
  read(path: string, options: { readonly limit: number; readonly signal?: AbortSignal }): Promise<Buffer>
}

const skipped: ReadonlySet<string> = new Set(['coverage', 'dist', 'node_modules'])

/** Rejects with an error for the user when `path` is not a folder. */
export async function openFolder(path: string): Promise<Folder> {
  const root = await realpath(path).catch(() => undefined)
  if (root === undefined || !(await stat(root)).isDirectory()) throw new Error(`"${path}" is not a folder`)

  /** Returns the absolute path of `named`. A symbolic link that leads out of the folder is refused, as `..` is. */
  async function locate(named: string): Promise<string> {
    const inside = relative(root ?? '', resolve(root ?? '', named))
    const isHidden = inside.split(sep).some((part) => part.startsWith('.'))
    if (isAbsolute(inside) || isHidden) throw new Error(`"${named}" is hidden, or outside the folder`)
    const real = await realpath(join(root ?? '', inside)).catch(() => undefined)
    if (real === undefined) throw new Error(`"${named}" does not exist`)
    if (real !== root && !real.startsWith(`${root}${sep}`)) throw new Error(`"${named}" leads out of the folder`)
    return real
  }

  async function* walk(path: string, signal: AbortSignal | undefined): AsyncGenerator<string> {
    signal?.throwIfAborted()
    if ((await stat(path)).isFile()) {
      yield path
      return
    }
    const entries = await readdir(path, { withFileTypes: true })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.') || skipped.has(entry.name)) continue
      if (entry.isFile()) yield join(path, entry.name)
      else if (entry.isDirectory()) yield* walk(join(path, entry.name), signal)
    }
  }

  return {
    root,
    async list(path, { limit, signal }) {
      const files: string[] = []
      for await (const file of walk(await locate(path), signal)) {
        if (files.length === limit) break
        files.push(relative(root, file).replaceAll(sep, '/'))
      }
      return files
    },
    async read(path, { limit, signal }) {
      const real = await locate(path)
      const { size } = await stat(real)
      if (size > limit) throw new Error(`"${path}" has ${size} bytes, more than ${limit}`)
      return readFile(real, signal === undefined ? {} : { signal })
    },
  }
}
