import { isMillraceError } from '@millrace/core'
import { isFlagFormatError } from '@millrace/flags'
import { explain } from './command-explain.ts'
import { type CommandHost, describeUnknown, readArguments, UsageError } from './command-line.ts'
import { set } from './command-set.ts'
import { validate } from './command-validate.ts'
import { FileError } from './system-error.ts'

const help = `millrace-flags: check, explain and change a flag file

  millrace-flags validate <file>...
      Reports what is wrong, with line and column. Exit code 1 if a file has an error.

  millrace-flags explain <file> [--user <key>] [--tool <name>]... [--attr <name>=<value>]...
      Shows what the file decides for a user, and why.

  millrace-flags set <file> <value> [--tool <name> | --flag <key>]
      Changes use_streaming, or the flag of one tool ("*": of all tools without a flag of their own), and
      replaces the file in one step. The value is one of:
        on, off, 10%      for all users, for none, for a share of them
        kill, unkill      the kill switch, which wins over everything
      --include <segment>, --exclude <segment>   in or out whatever the share; repeatable
      --unit <attribute>                         the attribute that is counted, instead of the targeting key
      --salt <text>                              draws the users again

  --format json|yaml   needed if the file does not end in .json, .yaml or .yml
  --help               shows this text`

/** Runs `millrace-flags`. Resolves with the exit code: 0, 1 for a file with an error, 2 for wrong arguments. */
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
      case undefined:
        throw new UsageError('a command is missing')
      default:
        throw new UsageError(describeUnknown('command', command, ['validate', 'explain', 'set']))
    }
  } catch (error) {
    host.err(`millrace-flags: ${error instanceof Error ? error.message : String(error)}`)
    if (isFlagFormatError(error) || error instanceof FileError) return 1
    if (isMillraceError(error) && error.code !== 'invalid_option') return 1
    host.err('Try "millrace-flags --help".')
    return 2
  }
}
