import { writeFile } from 'node:fs/promises'
import { baseline } from '../baseline/baseline.ts'
import { formatBaseline } from '../baseline/format-baseline.ts'
import type { Cassette } from '../cassette/cassette.ts'
import { ParityError } from '../kit/errors.ts'
import { findCassettes, readCassetteFile, reasonOf } from '../node/cassette-folder.ts'
import type { CommandHost } from './host.ts'
import { createProgress } from './progress.ts'

export interface BaselineArguments {
  readonly paths: readonly string[]
  readonly json: boolean
  /** A file that the JSON is written to as well. */
  readonly out: string | undefined
}

/**
 * Prints the figures of the recorded loop. Returns 2 if a cassette cannot be read, since figures of a part would
 * mislead.
 */
export async function printBaseline(given: BaselineArguments, host: CommandHost): Promise<number> {
  const paths = await findCassettes(given.paths)
  const progress = createProgress(host, paths.length, 'cassettes')
  const cassettes: Cassette[] = []
  let refused = 0
  for (const path of paths) {
    // One after the other, so that only one file's text is in memory.
    const file = await readCassetteFile(path)
    progress.clear()
    if (file.status === 'read') cassettes.push(file.cassette)
    else {
      refused++
      host.err(`${path}: ${file.error.message}`)
    }
    progress.done()
  }
  progress.clear()
  if (refused > 0) return 2
  const figures = baseline(cassettes)
  const text = JSON.stringify(figures, undefined, 2)
  if (given.out !== undefined) await write(given.out, `${text}\n`)
  if (given.json) host.out(text)
  else for (const line of formatBaseline(figures)) host.out(line)
  return 0
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text)
  } catch (cause) {
    const reason = reasonOf(cause)
    const why = reason === 'does not exist' ? 'its folder does not exist' : `it ${reason}`
    throw new ParityError('write_failed', `${path} could not be written: ${why}`, { path, cause })
  }
}
