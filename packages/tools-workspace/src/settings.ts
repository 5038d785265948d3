import { type Clock, systemClock } from '@millrace/core'
import {
  aBoolean,
  aClock,
  aListOf,
  anId,
  aRecordOf,
  checkOptions,
  isRecord,
  oneOf,
  refuse,
  type Rule,
  rule,
} from '@millrace/core/kit'
import { type KeyedQueue, keyedQueue } from './keyed-queue.ts'
import { openWorkspace, type Workspace } from './workspace.ts'

export interface BashOptions {
  /** The longest that a command may run, in milliseconds. Default: 120,000. */
  readonly timeout?: number
  /** How much of the output's end the model sees, in UTF-16 code units. Default: 30,000. */
  readonly maxOutput?: number
  /** Variables that commands see besides `PATH`, `HOME`, `LANG` and the like. Default: none. */
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
  /** The most matches that one search returns. Default: 200. */
  readonly maxMatches?: number
  /** Names of files and folders that searches and listings skip. Default: `.git`, `node_modules`. */
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
  /** Serializes changes of a file: calls of one turn run in parallel and would undo each other's changes. */
  readonly writes: KeyedQueue
  readonly clock: Clock
}

/** A day, in milliseconds. */
const maxCommandTime = 86_400_000

const bashRules: Readonly<Record<keyof BashOptions, Rule>> = {
  timeout: countUpTo(maxCommandTime),
  maxOutput: countUpTo(10_000_000),
  env: anEnvironment,
}

const rules: Readonly<Record<keyof WorkspaceOptions, Rule>> = {
  folder: anId,
  readOnly: aBoolean,
  editor: oneOf('separate', 'claude'),
  bash: (value, path) => {
    if (typeof value !== 'boolean') checkOptions(value, path, bashRules)
  },
  maxFileBytes: countUpTo(100_000_000),
  maxViewCharacters: countUpTo(100_000_000),
  maxMatches: countUpTo(100_000_000),
  ignore: aListOf(anId),
  clock: aClock,
}

function countUpTo(max: number): Rule {
  return rule(
    (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max,
    `must be a whole number from 1 to ${max}`,
  )
}

function anEnvironment(value: unknown, path: string): void {
  aRecordOf(rule((text) => typeof text === 'string', 'must be a string'))(value, path)
  for (const name of Object.keys(isRecord(value) ? value : {})) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) refuse(`${path}.${name}`, 'must have the name of a shell variable')
  }
}

function readBash(given: boolean | BashOptions, readOnly: boolean): BashSettings | undefined {
  if (given === false) return undefined
  if (readOnly) refuse('bash', 'must not be set with readOnly: a shell can write')
  const { timeout = 120_000, maxOutput = 30_000, env = {} } = given === true ? {} : given
  return { timeout, maxOutput, env }
}

/** @throws MillraceError `invalid_option`, `unknown_option` */
export function readOptions(options: WorkspaceOptions): WorkspaceSettings {
  checkOptions(options, '', rules)
  rules.folder(options.folder, 'folder')
  const { folder, readOnly = false, editor = 'separate', bash = false, clock = systemClock } = options
  const { ignore = ['.git', 'node_modules'], maxFileBytes = 2_000_000 } = options
  const { maxViewCharacters = 50_000, maxMatches = 200 } = options
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
