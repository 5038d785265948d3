import { anId } from '@millrace/core/kit'
import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { LastKnownGood } from './last-known-good.ts'

/**
 * Keeps the last known good answer in a file, whose folder is made where it does not exist. The file is readable for its
 * owner alone, and replaced whole. Two sources must not share one.
 *
 * @throws MillraceError `invalid_option` where `path` is no path
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
