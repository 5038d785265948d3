import { compileFlags, hasErrors } from '@millrace/flags'
import type { readFlagText } from '@millrace/flags/text'
import { type CommandHost, type CommandOptions, loadFile, loadTargeting, UsageError } from './command-line.ts'

/** Says what is wrong with files. Resolves with 1 where one would be refused, else 0. */
export async function validate(
  paths: readonly string[],
  { format }: CommandOptions,
  host: CommandHost,
): Promise<number> {
  if (paths.length === 0) throw new UsageError('validate needs a file')
  const engine = await loadTargeting()
  let code = 0
  for (const path of paths) {
    const read = await tryLoad(path, format)
    if (typeof read === 'string') {
      host.err(`${path}: error: ${read}`)
      code = 1
      continue
    }
    const compiled = read.status === 'read' ? compileFlags(read.document, engine).issues : []
    const issues = [...read.issues, ...compiled]
    for (const issue of issues) {
      const place = issue.line === undefined ? '' : `:${issue.line}:${issue.column ?? 1}`
      host.err(`${path}${place}: ${issue.severity}: ${issue.path}: ${issue.message}`)
    }
    if (hasErrors(issues)) code = 1
    else host.out(`${path}: ${countFlags(read)}, valid`)
  }
  return code
}

/** What a file that cannot be read says of itself must not keep the others from being looked at. */
async function tryLoad(path: string, format: string | undefined): Promise<ReturnType<typeof readFlagText> | string> {
  try {
    return await loadFile(path, format)
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return error.message
    throw error
  }
}

function countFlags(read: ReturnType<typeof readFlagText>): string {
  const count = read.status === 'read' ? Object.keys(read.document.flags).length : 0
  return count === 1 ? '1 flag' : `${count} flags`
}
