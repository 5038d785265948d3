import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve, sep } from 'node:path'

/** One folder, and nothing beside it: read-only. */
export interface Folder {
  /** Its absolute path, symbolic links resolved. */
  readonly root: string
  /**
   * The files at or under `path`, relative to the folder and sorted; at most `limit` of them. Hidden ones, symbolic
   * links, dependencies and build output are left out. Rejects with the signal's reason.
   */
  list(path: string, options: { readonly limit: number; readonly signal?: AbortSignal }): Promise<string[]>
  /** The bytes of a file; rejects where it is no file of this folder, hidden, or longer than `limit` bytes. */
  read(path: string, options: { readonly limit: number; readonly signal?: AbortSignal }): Promise<Buffer>
}

const skipped: ReadonlySet<string> = new Set(['coverage', 'dist', 'node_modules'])

/** Rejects with a readable message where `path` is no folder. */
export async function openFolder(path: string): Promise<Folder> {
  const root = await realpath(path).catch(() => undefined)
  if (root === undefined || !(await stat(root)).isDirectory()) throw new Error(`${path} is no folder`)

  /** The absolute path of what is named; a symbolic link that leads out is as far out as `..`. */
  async function locate(named: string): Promise<string> {
    const inside = relative(root ?? '', resolve(root ?? '', named))
    const isHidden = inside.split(sep).some((part) => part.startsWith('.'))
    if (isAbsolute(inside) || isHidden) throw new Error(`${named} is hidden, or outside the folder`)
    const real = await realpath(join(root ?? '', inside)).catch(() => undefined)
    if (real === undefined) throw new Error(`${named} does not exist`)
    if (real !== root && !real.startsWith(`${root}${sep}`)) throw new Error(`${named} leads out of the folder`)
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
      if (size > limit) throw new Error(`${path} has ${size} bytes, more than ${limit}`)
      return readFile(real, signal === undefined ? {} : { signal })
    },
  }
}
