import type { Dirent } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'

/** A file that was found. */
export interface WalkedFile {
  readonly real: string
  /** Relative to where the walk began, with forward slashes. */
  readonly path: string
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  const entries: Dirent[] = []
  try {
    for await (const entry of await opendir(folder)) entries.push(entry)
  } catch {
    // A folder that may not be read, or that is gone by now, holds nothing to find.
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The regular files under `folder`, in order of their names. Symbolic links are not followed: they may lead out. */
export async function* walk(
  folder: string,
  ignore: ReadonlySet<string>,
  prefix = '',
): AsyncGenerator<WalkedFile, void, void> {
  for (const entry of await entriesOf(folder)) {
    if (ignore.has(entry.name)) continue
    const real = join(folder, entry.name)
    const path = `${prefix}${entry.name}`
    if (entry.isDirectory()) yield* walk(real, ignore, `${path}/`)
    else if (entry.isFile()) yield { real, path }
  }
}
