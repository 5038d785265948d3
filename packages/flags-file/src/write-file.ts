import { open, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { describeSystemError, FileError, systemErrorCode } from './system-error.ts'

/**
 * Replaces a file whole: readers see the old text or the new one. A symbolic link stays, and the file it leads to is
 * replaced. The permissions of the old file are kept. Leaves nothing behind if it fails.
 *
 * @throws FileError if the file cannot be written
 */
export async function writeFileWhole(path: string, text: string, id: string): Promise<void> {
  const target = await resolveLinks(path)
  const draft = join(dirname(target), `.${basename(target)}.${id}.tmp`)
  try {
    await writeDraft(draft, text, await modeOf(target))
    await rename(draft, target)
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {})
    throw new FileError('write', path, describeFailure(error, path))
  }
}

async function writeDraft(draft: string, text: string, mode: number): Promise<void> {
  const file = await open(draft, 'wx', mode)
  try {
    await file.writeFile(text)
    // The mode given to `open` is cut by the process's mask.
    await file.chmod(mode)
    // Without this, a power cut after the rename may leave an empty file under the good name.
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The draft stands beside the file, so a system error about it would name a file that the user never heard of. */
function describeFailure(error: unknown, path: string): string {
  return systemErrorCode(error) === 'ENOENT'
    ? `the folder "${dirname(path)}" does not exist`
    : describeSystemError(error)
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
