import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cassette, cassetteEnding } from '../cassette/cassette.ts'
import { formatCassette } from '../cassette/format-cassette.ts'
import { parseCassette } from '../cassette/read-cassette.ts'
import { ParityError } from '../kit/errors.ts'
import type { CassetteSink } from '../record/recorder.ts'

/** A cassette, or why there is none, under the path that it was read from. */
export type CassetteFile =
  | { readonly path: string; readonly status: 'read'; readonly cassette: Cassette }
  | { readonly path: string; readonly status: 'refused'; readonly error: Error }

/** The largest file that is read. */
const maxFileBytes = 512 * 1024 * 1024

/**
 * Returns a sink that keeps each cassette in a file of `folder`, which is created if need be. A file is written whole
 * under another name and then renamed, and only its owner may read it.
 *
 * Rejects with a ParityError `write_failed` if the folder cannot be created or written to.
 */
export async function cassetteFolder(folder: string): Promise<CassetteSink> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    // Checked now, so that the loop does not run for nothing.
    await access(folder, constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new ParityError('write_failed', `${folder}: the folder for the cassettes ${reasonOf(cause)}`, { cause })
  }
  return {
    async write(cassette) {
      const path = join(folder, `${cassette.id}${cassetteEnding}`)
      try {
        await writeWhole(path, formatCassette(cassette))
      } catch (cause) {
        throw new ParityError('write_failed', `run ${cassette.id} could not be kept: its file ${reasonOf(cause)}`, {
          cause,
        })
      }
    },
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(text)
      // Without this, a power cut after the rename may leave an empty file under the final name.
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

/**
 * Returns the paths of cassette files: those given, and for a folder the files in it that are named like cassettes,
 * sorted.
 *
 * Rejects with a ParityError `read_failed` for a path that does not exist, or a folder without cassettes.
 */
export async function findCassettes(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    paths.map(async (path) => {
      try {
        if (!(await stat(path)).isDirectory()) return [path]
        const names = (await readdir(path)).filter((name) => name.endsWith(cassetteEnding)).sort()
        if (names.length > 0) return names.map((name) => join(path, name))
      } catch (cause) {
        throw new ParityError('read_failed', `${path} ${reasonOf(cause)}`, { path, cause })
      }
      throw new ParityError('read_failed', `${path} holds no file that ends in ${cassetteEnding}`, { path })
    }),
  )
  return [...new Set(found.flat())]
}

/** Reads one cassette file. Never rejects. */
export async function readCassetteFile(path: string): Promise<CassetteFile> {
  try {
    const { size } = await stat(path)
    if (size > maxFileBytes) {
      throw new ParityError('read_failed', `is larger than ${maxFileBytes / 1024 / 1024} MiB`)
    }
    return { path, status: 'read', cassette: parseCassette(await readText(path)) }
  } catch (error) {
    return { path, status: 'refused', error: error instanceof Error ? error : new Error(String(error)) }
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new ParityError('read_failed', reasonOf(cause), { cause })
  }
}

/** Returns what the file system says, in words and without the path. */
export function reasonOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  switch (code) {
    case 'ENOENT':
      return 'does not exist'
    case 'ENOTDIR':
      return 'is below a file'
    case 'EEXIST':
      return 'is a file instead of a folder'
    case 'EISDIR':
      return 'is a folder'
    case 'EACCES':
    case 'EPERM':
      return 'may not be accessed'
    case 'EROFS':
      return 'is on a file system that is read-only'
    case 'EFBIG':
      return 'would be larger than the system allows'
    case 'ENOSPC':
    case 'EDQUOT':
      return 'found no space left on the disk'
    default:
      return `could not be accessed (${typeof code === 'string' ? code : 'unknown error'})`
  }
}
