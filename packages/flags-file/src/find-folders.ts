import { lstat, readlink } from 'node:fs/promises'
import { dirname, join, parse, relative, resolve, sep } from 'node:path'

/** By folder, the names in it whose change may change the target of a path. */
export type WatchedNames = ReadonlyMap<string, ReadonlySet<string>>

/** The number of links that Linux follows. */
const maxLinks = 40

/**
 * Finds the folders to watch for `path`: its own, and those of every symbolic link on the way to the file, so that the swap of
 * any link is seen. Kubernetes swaps `..data`, deployments swap `current`. If something on the way is missing, the folder
 * where it would appear is included. Never rejects.
 */
export async function findFolders(path: string): Promise<WatchedNames> {
  const names = new Map<string, Set<string>>()
  let next: string | undefined = resolve(path)
  for (let links = 0; next !== undefined && links < maxLinks; links++) next = await walk(next, names)
  return names
}

/** Notes what `path` passes, up to its first link. Returns the path that the link leads to. */
async function walk(path: string, names: Map<string, Set<string>>): Promise<string | undefined> {
  const { root } = parse(path)
  const parts = relative(root, path).split(sep)
  for (const [index, part] of parts.entries()) {
    const folder = join(root, ...parts.slice(0, index))
    const here = join(folder, part)
    const found = await lookAt(here)
    const last = index === parts.length - 1
    if (last || found !== 'plain') note(names, folder, part)
    if (found === 'missing') return undefined
    if (found !== 'plain') return resolve(dirname(here), found.target, ...parts.slice(index + 1))
  }
  return undefined
}

function note(names: Map<string, Set<string>>, folder: string, name: string): void {
  const known = names.get(folder) ?? new Set()
  names.set(folder, known.add(name))
}

async function lookAt(path: string): Promise<'plain' | 'missing' | { readonly target: string }> {
  try {
    const found = await lstat(path)
    return found.isSymbolicLink() ? { target: await readlink(path) } : 'plain'
  } catch {
    return 'missing'
  }
}
