import { flagKeys } from '@millrace/core'
import type { FlagSet } from './compile.ts'
import { flagIssue, type FlagIssue } from './issues.ts'
import type { FlagDescription, FlagProblem } from './source.ts'

/** A document in force. */
export interface Held {
  readonly set: FlagSet
  /** Earlier documents, by the key of a flag that was valid in them and is invalid in `set`. */
  readonly kept: ReadonlyMap<string, FlagSet>
  readonly warnings: readonly FlagIssue[]
  /** What is wrong with the document although it was accepted. */
  readonly problem: FlagProblem | undefined
}

type Loss = Pick<FlagProblem, 'code' | 'message' | 'issues'>

/** Returns why `after` must not replace `before`: it has no flag, or lacks one that is in use. */
export function findLoss(before: Held | undefined, after: FlagSet, used: ReadonlySet<string>): Loss | undefined {
  if (before === undefined) return undefined
  const left = keysOf(after)
  if (keysOf(before.set).size > 0 && left.size === 0) {
    return {
      code: 'emptied',
      message: 'it holds no flag any more',
      issues: [flagIssue('error', ['flags'], 'is empty')],
    }
  }
  const lost = [...keysOf(before.set)].filter((key) => used.has(key) && !left.has(key))
  if (lost.length === 0) return undefined
  const issues = lost.map((key) =>
    flagIssue(
      'error',
      ['flags', key],
      'is in use and was left out: set its state to "DISABLED", or restart the process',
    ),
  )
  return { code: 'dropped', message: `it lacks flags that are in use: ${lost.join(', ')}`, issues }
}

/** Returns why `set` cannot be used at all: every flag of it is invalid. */
export function findNothing(set: FlagSet, issues: readonly FlagIssue[]): Loss | undefined {
  const { flags } = set.document
  if (set.invalid.size === 0 || Object.keys(flags).some((key) => !set.invalid.has(key))) return undefined
  return { code: 'invalid', message: 'every flag is invalid', issues: issues.filter(isError) }
}

/** Puts `set` in force after `before`. `at` is the time of the problem, if there is one. */
export function hold(before: Held | undefined, set: FlagSet, issues: readonly FlagIssue[], at: number): Held {
  const kept = new Map<string, FlagSet>()
  for (const key of set.invalid) {
    // The kill switch keeps nothing: one that cannot be evaluated counts as on.
    const last = key === flagKeys.kill ? undefined : lastValid(before, key)
    if (last !== undefined) kept.set(key, last)
  }
  const errors = issues.filter(isError)
  const names = [...set.invalid].join(', ')
  const message = names === '' ? 'parts of the document are invalid' : `these flags are invalid: ${names}`
  const problem = errors.length === 0 ? undefined : ({ at, code: 'invalid', message, issues: errors } as const)
  return { set, kept, warnings: issues.filter((issue) => !isError(issue)), problem }
}

function lastValid(before: Held | undefined, key: string): FlagSet | undefined {
  if (before === undefined || !keysOf(before.set).has(key)) return undefined
  return before.set.invalid.has(key) ? before.kept.get(key) : before.set
}

/** Describes each flag as it evaluates now. */
export function describeHeld({ set, kept }: Held): readonly FlagDescription[] {
  return set.describe().map(({ key, rule }) => {
    const before = kept
      .get(key)
      ?.describe()
      .find((flag) => flag.key === key)
    return before === undefined
      ? { key, rule }
      : { key, rule: `${before.rule}; kept, because its new definition is invalid` }
  })
}

/** The flags that may evaluate differently after `before` was replaced by `after`. */
export function changedFlags(before: Held, after: Held): string[] {
  const keys = [...new Set([...keysOf(before.set), ...keysOf(after.set)])].filter((key) => !after.kept.has(key))
  const { flags: oldFlags, ...oldRest } = before.set.document
  const { flags: newFlags, ...newRest } = after.set.document
  // Segments, evaluators and metadata affect every flag.
  if (JSON.stringify(oldRest) !== JSON.stringify(newRest)) return keys
  return keys.filter((key) => JSON.stringify(oldFlags[key]) !== JSON.stringify(newFlags[key]))
}

function keysOf({ document, invalid }: FlagSet): ReadonlySet<string> {
  return new Set([...Object.keys(document.flags), ...invalid])
}

function isError({ severity }: FlagIssue): boolean {
  return severity === 'error'
}
