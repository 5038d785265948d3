import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, mkdir, open, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ToolError } from '@millrace/core'
import { fileError } from './file-error.ts'
import type { Place } from './workspace.ts'

export interface TextFile {
  readonly text: string
  /** The file's permission bits. */
  readonly mode: number
}

async function readBounded(
  file: FileHandle,
  shown: string,
  maxBytes: number,
): Promise<{ bytes: Buffer; mode: number }> {
  const stat = await file.stat()
  if (stat.isDirectory()) throw new ToolError(`"${shown}" is a folder.`)
  if (!stat.isFile()) throw new ToolError(`"${shown}" is not a regular file.`)
  const tooLarge = (): ToolError =>
    new ToolError(
      `"${shown}" is too large: more than ${maxBytes} bytes. Search in it, or view a part of it with another tool.`,
    )
  if (stat.size > maxBytes) throw tooLarge()
  // The size is not reliable: a file may grow, and files in /proc have size 0.
  const bytes = Buffer.alloc(maxBytes + 1)
  let length = 0
  while (length <= maxBytes) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  if (length > maxBytes) throw tooLarge()
  return { bytes: bytes.subarray(0, length), mode: stat.mode & 0o7777 }
}

/** Returns the text in `bytes`, or undefined if they contain a NUL or are not UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Reads a whole text file. @throws ToolError if it is too large, binary, or not a file */
export async function readText({ real, shown }: Place, maxBytes: number): Promise<TextFile> {
  try {
    // Does not follow a link that was put there since the check, and does not wait for the writer of a named pipe.
    const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const { bytes, mode } = await readBounded(file, shown, maxBytes)
      const text = decodeText(bytes)
      if (text === undefined) throw new ToolError(`"${shown}" is a binary file: it cannot be shown or edited as text.`)
      return { text, mode }
    } finally {
      await file.close()
    }
  } catch (error) {
    throw fileError(shown, error)
  }
}

export interface WriteOptions {
  /** Permission bits. Default: 0o644. */
  readonly mode?: number
  /** Whether an existing file is replaced. Otherwise it is an error. */
  readonly overwrite: boolean
}

/**
 * Writes a file in one step: readers see the old text or the new one. Creates missing folders. If the file has several names
 * (hard links), only this name gets the new text.
 */
export async function writeText(
  { real, shown }: Place,
  text: string,
  { mode = 0o644, overwrite }: WriteOptions,
): Promise<void> {
  const folder = dirname(real)
  const draft = join(folder, `.millrace-${randomUUID()}.tmp`)
  try {
    await mkdir(folder, { recursive: true })
    const file = await open(draft, 'wx', mode)
    try {
      await file.writeFile(text)
      await file.chmod(mode)
      await file.sync()
    } finally {
      await file.close()
    }
    if (overwrite) await rename(draft, real)
    // Unlike rename, link refuses a name that is taken, even one taken just now.
    else await link(draft, real)
  } catch (error) {
    throw fileError(shown, error)
  } finally {
    await unlink(draft).catch(() => {})
  }
}
