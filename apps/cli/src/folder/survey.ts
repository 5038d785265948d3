import type { ToolProgress } from '@millrace/core'
import { fromIterable } from '@millrace/tool-progress'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliCompress } from 'node:zlib'
import type { Folder } from './folder.ts'

/** The results of a survey. Files of more than 1 MB, and those that cannot be read, are only counted. */
export interface Survey {
  readonly files: number
  /** Whether there are more files than were looked at. */
  readonly more: boolean
  readonly unread: number
  readonly lines: number
  readonly bytes: number
  /** The bytes of all files, each compressed with Brotli. */
  readonly compressed: number
  /** The three with the most lines. */
  readonly largest: readonly { readonly path: string; readonly lines: number }[]
  /** SHA-256 over the paths and contents. */
  readonly fingerprint: string
}

export interface SurveyOptions {
  readonly progress: (report: ToolProgress) => void
  readonly signal: AbortSignal
  /** How many files are read at most. Default: 5,000. */
  readonly limit?: number
}

const largestFile = 1_000_000
const compress = promisify(brotliCompress)

/** Reads, counts, hashes and compresses the files at or under `path`, one after the other. */
export async function surveyFolder(folder: Folder, path: string, options: SurveyOptions): Promise<Survey> {
  const { progress, signal, limit = 5_000 } = options
  const found = await folder.list(path, { limit: limit + 1, signal })
  const paths = found.slice(0, limit)
  const hash = createHash('sha256')
  const counted: { path: string; lines: number }[] = []
  let bytes = 0
  let compressed = 0
  for await (const file of fromIterable(paths, { progress, signal, message: (file) => file })) {
    const content = await folder.read(file, { limit: largestFile, signal }).catch(() => undefined)
    // An aborted signal rejects the read as well. Such a file must not be left out as unreadable.
    signal.throwIfAborted()
    if (content === undefined) continue
    hash.update(`${file}\0${content.length}\0`).update(content)
    bytes += content.length
    compressed += (await compress(content)).length
    counted.push({ path: file, lines: countLines(content) })
  }
  return {
    files: paths.length,
    more: found.length > limit,
    unread: paths.length - counted.length,
    lines: counted.reduce((sum, { lines }) => sum + lines, 0),
    bytes,
    compressed,
    largest: counted.sort((a, b) => b.lines - a.lines || (a.path < b.path ? -1 : 1)).slice(0, 3),
    fingerprint: hash.digest('hex'),
  }
}

function countLines(content: Buffer): number {
  let lines = content.length > 0 && content.at(-1) !== 10 ? 1 : 0
  for (const byte of content) if (byte === 10) lines++
  return lines
}
