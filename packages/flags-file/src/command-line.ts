import { flagKeys } from '@millrace/core'
import type { TargetingEngine } from '@millrace/flags'
import { nearestOf } from '@millrace/flags/options'
import { type FlagTextFormat, readFlagText } from '@millrace/flags/text'
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { formatOf } from './format-of.ts'

/** What the command needs of its process. */
export interface CommandHost {
  readonly out: (line: string) => void
  readonly err: (line: string) => void
  /** A unique name for a temporary file. */
  readonly newId: () => string
}

/** The arguments cannot be understood. */
export class UsageError extends Error {}

/** The options, as typed. */
export interface CommandOptions {
  readonly attr?: readonly string[] | undefined
  readonly exclude?: readonly string[] | undefined
  readonly flag?: string | undefined
  readonly format?: string | undefined
  readonly help?: boolean | undefined
  readonly include?: readonly string[] | undefined
  readonly salt?: string | undefined
  readonly tool?: readonly string[] | undefined
  readonly unit?: string | undefined
  readonly user?: string | undefined
}

/** The arguments, as typed. */
export interface CommandArguments {
  readonly options: CommandOptions
  readonly words: readonly string[]
}

const known = {
  attr: { type: 'string', multiple: true },
  exclude: { type: 'string', multiple: true },
  flag: { type: 'string' },
  format: { type: 'string' },
  help: { type: 'boolean' },
  include: { type: 'string', multiple: true },
  salt: { type: 'string' },
  tool: { type: 'string', multiple: true },
  unit: { type: 'string' },
  user: { type: 'string' },
} as const

/** Throws a {@link UsageError} for an option that does not exist, or has no value. */
export function readArguments(args: readonly string[]): CommandArguments {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: known,
    })
    return { options: values, words: positionals }
  } catch (error) {
    const message = error instanceof Error ? error.message : 'the arguments cannot be understood'
    const [, option] = /^Unknown option '--?([^']*)'/.exec(message) ?? []
    if (option === undefined) throw new UsageError(message)
    const nearest = nearestOf(option, Object.keys(known))
    throw new UsageError(`there is no option --${option}${nearest === undefined ? '' : `: did you mean --${nearest}?`}`)
  }
}

/** The flag of a tool; `*`: of all without one of their own. */
export function toolKey(name: string): string {
  if (name === '*' || /^[\w-]{1,128}$/.test(name)) return flagKeys.tool(name)
  throw new UsageError('--tool must be the name of a tool (letters, digits, _ and -), or "*"')
}

/** The format that `--format` says, or the file's ending. */
export function formatFor(path: string, format: string | undefined): FlagTextFormat {
  if (format === undefined) return formatOf(path)
  if (format === 'json' || format === 'yaml') return format
  throw new UsageError('--format must be json or yaml')
}

/** Reads a flag file. Rejects where there is none. */
export async function loadFile(path: string, format: string | undefined): Promise<ReturnType<typeof readFlagText>> {
  const known = formatFor(path, format)
  return readFlagText(await readFile(path, 'utf8'), { format: known })
}

/** flagd's engine, where its package is installed. */
export async function loadTargeting(): Promise<{ targeting?: TargetingEngine }> {
  try {
    const { flagdTargeting } = await import('@millrace/flags/flagd')
    return { targeting: flagdTargeting() }
  } catch {
    return {}
  }
}
