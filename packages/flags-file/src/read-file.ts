import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/** What was found at a path. Two that are `same` can be told by their fields. */
export type FileReading =
  | { readonly status: 'text'; readonly text: string; readonly modifiedAt: number }
  /** It changed while it was read. */
  | { readonly status: 'changing' }
  | { readonly status: 'problem'; readonly message: string }

/** Reads a whole file of at most `maxBytes`. Never rejects. Messages do not contain the path. */
export async function readFileText(path: string, maxBytes: number): Promise<FileReading> {
  try {
    // Without O_NONBLOCK, opening a pipe would wait for its writer and block a thread of the pool.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      return await readWhole(file, maxBytes)
    } finally {
      await file.close()
    }
  } catch (error) {
    return { status: 'problem', message: describe(error) }
  }
}

async function readWhole(file: FileHandle, maxBytes: number): Promise<FileReading> {
  const before = await file.stat({ bigint: true })
  if (!before.isFile()) return { status: 'problem', message: 'it is not a file' }
  if (before.size > BigInt(maxBytes)) return { status: 'problem', message: `it is larger than ${maxBytes} bytes` }
  const buffer = new Uint8Array(Number(before.size) + 1)
  let length = 0
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length)
    length += bytesRead
    if (bytesRead === 0 || length === buffer.length) break
  }
  const after = await file.stat({ bigint: true })
  const changed = before.size !== after.size || before.mtimeNs !== after.mtimeNs || before.ctimeNs !== after.ctimeNs
  if (changed || BigInt(length) !== after.size) return { status: 'changing' }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length))
    return { status: 'text', text, modifiedAt: Number(after.mtimeMs) }
  } catch {
    return { status: 'problem', message: 'it is not UTF-8' }
  }
}

function describe(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'it does not exist'
    case 'EACCES':
    case 'EPERM':
      return 'it may not be read'
    default:
      return `it could not be read (${typeof code === 'string' ? code : 'unknown error'})`
  }
}
