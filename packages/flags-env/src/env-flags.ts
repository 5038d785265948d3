import { anId, aRecordOf, checkOptions, type Rule, rule } from '@millrace/core/kit'
import {
  FlagFormatError,
  type FlagIssue,
  fixedFlags,
  formatIssue,
  hasErrors,
  type LocalFlagSource,
} from '@millrace/flags'
import { readEnvironment } from './read-environment.ts'

export interface EnvFlagsOptions {
  /** The variables. Default: those of the process, or none if there is no process. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The beginning of the names of the variables. Default: `MILLRACE_STREAMING`. */
  readonly prefix?: string
  /** Shown in descriptions. Default: `env`. */
  readonly name?: string
}

const envFlagsRules: Readonly<Record<keyof EnvFlagsOptions, Rule>> = {
  env: aRecordOf(rule((value) => value === undefined || typeof value === 'string', 'must be a string')),
  prefix: anId,
  name: anId,
}

/**
 * Makes a source of flags in environment variables. They are read once, so a change needs a restart. A flag that is not set is
 * left to the next source.
 *
 * Never throws because of a variable. A value that cannot be read turns its flag off, and an unreadable `_KILL` kills. It is
 * reported in `describe().problem`, and `ready()` rejects with a `FlagFormatError`, so that a program can refuse to start.
 * Unknown variables with the prefix are in `describe().warnings`.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function envFlags(options: EnvFlagsOptions = {}): LocalFlagSource {
  checkOptions(options, '', envFlagsRules)
  const { env = processEnvironment(), prefix = 'MILLRACE_STREAMING', name = 'env' } = options
  const { document, issues } = readEnvironment(env, prefix)
  const source = fixedFlags(document, { name })
  const startedAt = source.describe().asOf ?? 0
  const describe: LocalFlagSource['describe'] = () => {
    const description = { ...source.describe(), warnings: issues.filter(({ severity }) => severity === 'warning') }
    if (!hasErrors(issues)) return description
    const problem = { at: startedAt, code: 'invalid', message: messageOf(issues), issues: errorsOf(issues) } as const
    return { ...description, problem }
  }
  const ready: LocalFlagSource['ready'] = (signal) =>
    hasErrors(issues)
      ? Promise.reject(new FlagFormatError(`flag source "${name}": ${messageOf(issues)}`, errorsOf(issues)))
      : source.ready(signal)
  return { ...source, describe, ready }
}

function errorsOf(issues: readonly FlagIssue[]): FlagIssue[] {
  return issues.filter(({ severity }) => severity === 'error')
}

function messageOf(issues: readonly FlagIssue[]): string {
  return errorsOf(issues).map(formatIssue).join('; ')
}

function processEnvironment(): Readonly<Record<string, string | undefined>> {
  return 'process' in globalThis ? globalThis.process.env : {}
}
