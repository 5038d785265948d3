import { anId } from '@millrace/core/kit'
import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { LastKnownGood } from './last-known-good.ts'

/**
 * Stores the last known good answer in a file, and creates its folder if it does not exist. Only the owner can read the file. It is
 * replaced in one step. Each source needs its own file.
 *
 * @throws MillraceError `invalid_option` if `path` is not a string
 */
export function diskCache(path: string): LastKnownGood {
  anId(path, 'path')
  return {
    async load(signal) {
      try {
        return await readFile(path, { encoding: 'utf8', signal })
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
        throw error
      }
    },
    async save(text, signal) {
      const draft = `${path}.${randomUUID()}.tmp`
      await mkdir(dirname(path), { recursive: true })
      try {
        const file = await open(draft, 'wx', 0o600)
        try {
          await file.writeFile(text, { signal })
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(draft, path)
      } catch (error) {
        await rm(draft, { force: true })
        throw error
      }
    },
  }
}
