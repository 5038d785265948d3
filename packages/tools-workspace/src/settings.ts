import { type Clock, MillraceError, systemClock } from '@millrace/core'
import { type KeyedQueue, keyedQueue } from './keyed-queue.ts'
import { openWorkspace, type Workspace } from './workspace.ts'

export interface BashOptions {
  /** Milliseconds that a command may run. Default: 120,000. */
  readonly timeout?: number
  /** How much of the output's end the model sees, in UTF-16 code units. Default: 30,000. */
  readonly maxOutput?: number
  /** Variables that commands see, besides the harmless ones (`PATH`, `HOME`, `LANG` …). Default: none. */
  readonly env?: Readonly<Record<string, string>>
}

export interface WorkspaceOptions {
  /** The folder that file tools cannot leave. It must exist. */
  readonly folder: string
  /** Only `view` and `search`. Default: false. */
  readonly readOnly?: boolean
  /**
   * `separate`: `view`, `edit`, `create`; `claude`: Claude's own `str_replace_based_edit_tool`, of the API type
   * `text_editor_20250728`. Default: `separate`.
   */
  readonly editor?: 'separate' | 'claude'
  /** Claude's own `bash`, of the API type `bash_20250124`. It is NOT confined to the folder. Default: false. */
  readonly bash?: boolean | BashOptions
  /** The largest file that is read or written, in bytes. Default: 2,000,000. */
  readonly maxFileBytes?: number
  /** How much of a file one `view` shows, in UTF-16 code units. Default: 50,000. */
  readonly maxViewCharacters?: number
  /** At most this many matches of one search. Default: 200. */
  readonly maxMatches?: number
  /** Names of files and folders that searches and listings pass over. Default: `.git`, `node_modules`. */
  readonly ignore?: readonly string[]
  readonly clock?: Clock
}

export interface BashSettings {
  readonly timeout: number
  readonly maxOutput: number
  readonly env: Readonly<Record<string, string>>
}

/** The options, checked, with their defaults. */
export interface WorkspaceSettings {
  readonly workspace: Workspace
  readonly readOnly: boolean
  readonly editor: 'separate' | 'claude'
  readonly bash: BashSettings | undefined
  readonly maxFileBytes: number
  readonly maxViewCharacters: number
  readonly maxMatches: number
  readonly ignore: ReadonlySet<string>
  /** One change of a file at a time: calls of one turn run side by side, and would undo each other's. */
  readonly writes: KeyedQueue
  readonly clock: Clock
}

const known = [
  'bash',
  'clock',
  'editor',
  'folder',
  'ignore',
  'maxFileBytes',
  'maxMatches',
  'maxViewCharacters',
  'readOnly',
]

/** A day, in milliseconds. */
const maxCommandTime = 86_400_000

function refuse(path: string, problem: string): never {
  throw new MillraceError('invalid_option', `workspaceTools: ${path} ${problem}`, { path })
}

function checkKeys(options: object, names: readonly string[], prefix: string): void {
  for (const key of Object.keys(options)) {
    if (names.includes(key)) continue
    const path = `${prefix}${key}`
    throw new MillraceError('unknown_option', `workspaceTools: "${path}" is no option; known are ${names.join(', ')}`, {
      path,
    })
  }
}

function checkCounts(counts: Readonly<Record<string, number>>, max: number): void {
  for (const [path, value] of Object.entries(counts)) {
    if (!(Number.isInteger(value) && value >= 1 && value <= max))
      refuse(path, `must be a whole number from 1 to ${max}`)
  }
}

function readBash(given: boolean | BashOptions | undefined, readOnly: boolean): BashSettings | undefined {
  if (given === undefined || given === false) return undefined
  if (readOnly) refuse('bash', 'cannot be had with readOnly: a shell can write')
  const options: unknown = given
  if (options !== true && (typeof options !== 'object' || options === null))
    refuse('bash', 'must be true, false or an object')
  const own = given === true ? {} : given
  checkKeys(own, ['env', 'maxOutput', 'timeout'], 'bash.')
  const { timeout = 120_000, maxOutput = 30_000, env = {} } = own
  checkCounts({ 'bash.timeout': timeout }, maxCommandTime)
  checkCounts({ 'bash.maxOutput': maxOutput }, 10_000_000)
  for (const [name, value] of Object.entries<unknown>(env)) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || typeof value !== 'string')
      refuse(`bash.env.${name}`, 'must be a variable name with a text')
  }
  return { timeout, maxOutput, env }
}

/** @throws MillraceError `invalid_option`, `unknown_option` */
export function readOptions(options: WorkspaceOptions): WorkspaceSettings {
  checkKeys(options, known, '')
  const {
    folder,
    readOnly = false,
    editor = 'separate',
    bash,
    ignore = ['.git', 'node_modules'],
    clock = systemClock,
  } = options
  const { maxFileBytes = 2_000_000, maxViewCharacters = 50_000, maxMatches = 200 } = options
  if (typeof folder !== 'string' || folder === '') refuse('folder', 'must be the path of a folder')
  if (typeof readOnly !== 'boolean') refuse('readOnly', 'must be true or false')
  if (!['separate', 'claude'].includes(editor)) refuse('editor', 'must be "separate" or "claude"')
  if (!Array.isArray(ignore)) refuse('ignore', 'must be a list of names')
  checkCounts({ maxFileBytes, maxViewCharacters, maxMatches }, 100_000_000)
  return {
    workspace: openWorkspace(folder),
    readOnly,
    editor,
    bash: readBash(bash, readOnly),
    maxFileBytes,
    maxViewCharacters,
    maxMatches,
    ignore: new Set(ignore),
    writes: keyedQueue(),
    clock,
  }
}
