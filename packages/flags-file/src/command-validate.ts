import { compileFlags, hasErrors, type ReadResult } from '@millrace/flags'
import {
  allowOptions,
  type CommandHost,
  type CommandOptions,
  formatPlace,
  loadFile,
  loadTargeting,
  UsageError,
} from './command-line.ts'
import { FileError } from './system-error.ts'

/** Reports what is wrong with files. Resolves with 1 if one of them has an error, and with 0 otherwise. */
export async function validate(paths: readonly string[], options: CommandOptions, host: CommandHost): Promise<number> {
  allowOptions('validate', options, [])
  if (paths.length === 0) throw new UsageError('validate needs a file')
  const engine = await loadTargeting()
  let code = 0
  for (const path of paths) {
    const read = await tryLoad(path, options.format)
    if (read instanceof FileError) {
      host.err(`${path}: error: ${read.reason}`)
      code = 1
      continue
    }
    const compiled =
      read.status === 'read' ? compileFlags(read.document, { ...engine, invalid: read.invalid }).issues : []
    const issues = [...read.issues, ...compiled]
    for (const issue of issues) host.err(formatPlace(path, issue))
    if (hasErrors(issues)) code = 1
    else host.out(`${path}: ${countFlags(read)}, valid`)
  }
  return code
}

/** A file that cannot be read must not keep the others from being checked. */
async function tryLoad(path: string, format: string | undefined): Promise<ReadResult | FileError> {
  try {
    return await loadFile(path, format)
  } catch (error) {
    if (error instanceof FileError) return error
    throw error
  }
}

function countFlags(read: ReadResult): string {
  const count = read.status === 'read' ? Object.keys(read.document.flags).length : 0
  return count === 1 ? '1 flag' : `${count} flags`
}
