import { invalidOption } from '../kit/errors.ts'
import type { FaultCase } from './fault-matrix.ts'
import type { LoopOutcome } from './job.ts'
import { isObject, isString } from '../kit/guards.ts'

/** How a case should end, and the reason unless it should complete. */
export type Expected = 'completed' | { readonly outcome: LoopOutcome; readonly reason: string }

/**
 * One line of a table of expected outcomes, for the cases whose id matches `match`, in which `*` stands for anything.
 * The first line that matches counts. A case that no line matches should complete.
 */
export interface ExpectedRule {
  readonly match: string
  readonly outcome: LoopOutcome
  readonly reason: string
}

const outcomes: readonly LoopOutcome[] = ['completed', 'interrupted', 'limit', 'refused', 'failed']

function isOutcome(value: unknown): value is LoopOutcome {
  return outcomes.some((outcome) => outcome === value)
}

/** Returns a table that came from outside, such as a JSON file. Throws `invalid_option` with the place of a mistake. */
export function parseExpectedTable(table: unknown, path = 'expected'): readonly ExpectedRule[] {
  if (!Array.isArray(table)) throw invalidOption(path, 'must be a list of { match, outcome, reason }')
  return table.map((rule: unknown, index) => {
    const rulePath = `${path}[${index}]`
    if (!isObject(rule)) throw invalidOption(rulePath, 'must be { match, outcome, reason }')
    const { match, outcome, reason } = rule
    if (!isString(match) || match === '') throw invalidOption(`${rulePath}.match`, 'must be a pattern for case ids')
    if (!isOutcome(outcome)) throw invalidOption(`${rulePath}.outcome`, `must be one of ${outcomes.join(', ')}`)
    if (!isString(reason) || reason === '') throw invalidOption(`${rulePath}.reason`, 'must be the reason, in words')
    return { match, outcome, reason }
  })
}

/** Returns a function that looks up how a case should end. */
export function expectedFrom(table: readonly ExpectedRule[]): (faultCase: FaultCase) => Expected {
  const rules = table.map((rule) => ({ rule, pattern: toPattern(rule.match) }))
  return ({ id }) => {
    const rule = rules.find(({ pattern }) => pattern.test(id))?.rule
    return rule === undefined || rule.outcome === 'completed' ? 'completed' : rule
  }
}

function toPattern(match: string): RegExp {
  const parts = match.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`)
}
