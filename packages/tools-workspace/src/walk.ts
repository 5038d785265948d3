import type { Dirent } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'

/** A file that was found. */
export interface WalkedFile {
  readonly real: string
  /** Relative to the start of the walk, with forward slashes. */
  readonly path: string
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  const entries: Dirent[] = []
  try {
    for await (const entry of await opendir(folder)) entries.push(entry)
  } catch {
    // The folder may not be read, or is gone by now. There is nothing to find in it.
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Yields the regular files under `folder`, ordered by name. Does not follow symbolic links, which may lead outside. */
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
