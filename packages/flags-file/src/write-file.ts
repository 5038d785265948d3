import { open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * Replaces a file whole: readers see the old text or the new one. A symbolic link stays, what it leads to is replaced; the
 * permissions of the old file are kept. Rejects with the file system's error, and leaves nothing behind.
 */
export async function writeFileWhole(path: string, text: string, id: string): Promise<void> {
  const target = await resolveLinks(path)
  const mode = await modeOf(target)
  const draft = join(dirname(target), `.${basename(target)}.${id}.tmp`)
  try {
    const file = await open(draft, 'wx', mode)
    try {
      await file.writeFile(text)
      // The mode of `open` is cut by the process's mask.
      await file.chmod(mode)
      // Else a power cut after the rename may leave an empty file under the good name.
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, target)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

async function resolveLinks(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    return path
  }
}

async function modeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).mode & 0o777
  } catch {
    return 0o644
  }
}
