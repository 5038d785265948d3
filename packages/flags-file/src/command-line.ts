import { flagKeys } from '@millrace/core'
import { nearest } from '@millrace/core/kit'
import type { FlagIssue, ReadResult, TargetingEngine } from '@millrace/flags'
import { type FlagTextFormat, readFlagText } from '@millrace/flags/text'
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { formatOf } from './format-of.ts'
import { describeSystemError, FileError, systemErrorCode } from './system-error.ts'

/** What the command needs from its process. */
export interface CommandHost {
  readonly out: (line: string) => void
  readonly err: (line: string) => void
  /** Returns a unique id for the name of a temporary file. */
  readonly newId: () => string
}

/** The arguments cannot be understood. */
export class UsageError extends Error {}

/** The options of all commands, as typed. */
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

/** Reads the arguments. Throws a {@link UsageError} for an option that does not exist, or has no value. */
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
    if (option !== undefined) throw new UsageError(describeUnknown('option', option, Object.keys(known), '--'))
    throw new UsageError(message)
  }
}

/** Throws a {@link UsageError} for an option that `command` would ignore. */
export function allowOptions(
  command: string,
  options: CommandOptions,
  allowed: readonly (keyof CommandOptions)[],
): void {
  const names: readonly string[] = [...allowed, 'format', 'help']
  const [extra] = Object.keys(options).filter((name) => !names.includes(name))
  if (extra !== undefined) throw new UsageError(`${command} does not take the option "--${extra}"`)
}

/** Says that `name` does not exist, and what was probably meant. */
export function describeUnknown(what: string, name: string, names: readonly string[], prefix = ''): string {
  const near = nearest(name, names)
  const hint = near === undefined ? '' : `; did you mean "${prefix}${near}"?`
  return `unknown ${what} "${prefix}${name}"${hint}`
}

/** Returns the flag of a tool. `*` is the flag of all tools without one of their own. */
export function toolKey(name: string): string {
  if (name === '*' || /^[\w-]{1,128}$/.test(name)) return flagKeys.tool(name)
  throw new UsageError(`--tool must be the name of a tool (letters, digits, "_" and "-") or "*", not "${name}"`)
}

/** Returns the format from `--format`, or from the ending of the file. */
export function formatFor(path: string, format: string | undefined): FlagTextFormat {
  if (format === undefined) return formatOf(path)
  if (format === 'json' || format === 'yaml') return format
  throw new UsageError(`--format must be json or yaml, not "${format}"`)
}

/**
 * Reads a flag file.
 *
 * @throws FileError if it cannot be read
 */
export async function loadFile(path: string, format: string | undefined): Promise<ReadResult> {
  const known = formatFor(path, format)
  return readFlagText(await loadText(path), { format: known })
}

/**
 * Reads the text of a file. Not UTF-8 is an error, as it is to `fileFlags`.
 *
 * @throws FileError
 */
async function loadText(path: string): Promise<string> {
  const text = await loadTextIfThere(path)
  if (text === undefined) throw new FileError('read', path, 'the file does not exist')
  return text
}

/** Like {@link loadText}, but returns undefined if the file does not exist. */
export async function loadTextIfThere(path: string): Promise<string | undefined> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw new FileError('read', path, describeSystemError(error))
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new FileError('read', path, 'the file is not UTF-8')
  }
}

/** One line about an issue of a file, in the form that editors and compilers share: `file:line:column: severity: …`. */
export function formatPlace(path: string, issue: FlagIssue): string {
  const place = issue.line === undefined ? '' : `:${issue.line}:${issue.column ?? 1}`
  return `${path}${place}: ${issue.severity}: ${issue.path}: ${issue.message}`
}

/** Returns flagd's engine, if its package is installed. */
export async function loadTargeting(): Promise<{ targeting?: TargetingEngine }> {
  try {
    const { flagdTargeting } = await import('@millrace/flags/flagd')
    return { targeting: flagdTargeting() }
  } catch {
    return {}
  }
}
