import { isMillraceError } from '@millrace/core'
import { isFlagFormatError } from '@millrace/flags'
import { nearestOf } from '@millrace/flags/options'
import { explain } from './command-explain.ts'
import { type CommandHost, readArguments, UsageError } from './command-line.ts'
import { set } from './command-set.ts'
import { validate } from './command-validate.ts'

const help = `millrace-flags: check, explain and change a flag file

  millrace-flags validate <file>...
      Says what is wrong, with line and column. Exit code 1 where a file would be refused.

  millrace-flags explain <file> [--user <key>] [--tool <name>]... [--attr <name>=<value>]...
      Says what the file decides for a user, and why.

  millrace-flags set <file> <value> [--tool <name> | --flag <key>]
      Changes use_streaming, or the flag of one tool ("*": of all without a flag of their own), and writes the
      file whole. The value is one of:
        on, off, 10%      for all, for nobody, for a share of the users
        kill, unkill      the kill switch, which wins over everything
      --include <segment>, --exclude <segment>   who is in or out whatever the share; repeatable
      --unit <attribute>                         what is counted, instead of the targeting key
      --salt <text>                              draws the users anew

  --format json|yaml   where the file's ending does not say
  --help               this text`

/** Runs `millrace-flags`; resolves with the exit code: 0, 1 for a file that is refused, 2 for wrong arguments. */
export async function runCommand(args: readonly string[], host: CommandHost): Promise<number> {
  try {
    const { options, words } = readArguments(args)
    const [command, ...rest] = words
    if (options.help === true) {
      host.out(help)
      return 0
    }
    switch (command) {
      case 'validate':
        return await validate(rest, options, host)
      case 'explain':
        return await explain(rest, options, host)
      case 'set':
        return await set(rest, options, host)
      default:
        throw new UsageError(command === undefined ? 'a command is missing' : describeUnknown(command))
    }
  } catch (error) {
    host.err(`millrace-flags: ${error instanceof Error ? error.message : String(error)}`)
    if (isFlagFormatError(error) || (isMillraceError(error) && error.code !== 'invalid_option')) return 1
    if (isSystemError(error)) return 1
    host.err('Try "millrace-flags --help".')
    return 2
  }
}

function describeUnknown(command: string): string {
  const nearest = nearestOf(command, ['validate', 'explain', 'set'])
  return `there is no command "${command}"${nearest === undefined ? '' : `: did you mean ${nearest}?`}`
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}
