import { MillraceError } from '@millrace/core'
import { nameOf } from './issue-list.ts'
import { isRecord } from './json.ts'
import { nearestOf } from './nearest.ts'

export { nearestOf }

/** Throws a MillraceError (`invalid_option`) where `value`, the option at `path`, is not what it has to be. */
export type OptionRule = (value: unknown, path: string) => void

/** A rule for each option of `T`: one without a rule does not compile. */
export type OptionRules<T extends object> = { readonly [K in keyof T]-?: OptionRule }

/**
 * Checks options by a table of rules, before anything is done with them.
 *
 * @param at where the options stand, such as `change`; empty for those of the function itself
 * @throws MillraceError `unknown_option` for a key without a rule, with the nearest one that has one; `invalid_option` where a
 * rule says so. Its `path` is the option's; no message repeats a value that could be secret.
 */
export function checkOptions(given: unknown, rules: Readonly<Record<string, OptionRule>>, at = ''): void {
  if (!isRecord(given)) refuse(at === '' ? 'options' : at, 'must be an object', given)
  const pathOf = (key: string): string => (at === '' ? key : `${at}.${key}`)
  for (const key of Object.keys(given)) {
    if (Object.hasOwn(rules, key)) continue
    const known = Object.keys(rules)
    const nearest = nearestOf(key, known)
    const hint = nearest === undefined ? '.' : `: did you mean ${nearest}?`
    const message = `${pathOf(key)} is no option${hint} Known here are ${known.join(', ')}`
    throw new MillraceError('unknown_option', message, { path: pathOf(key) })
  }
  for (const [key, rule] of Object.entries(rules)) rule(given[key], pathOf(key))
}

/** Makes a rule of what a value has to satisfy; `expected` completes the sentence "… must be". */
export function ruleOf(accepts: (value: unknown) => boolean, expected: string): OptionRule {
  return (value, path) => {
    if (!accepts(value)) refuse(path, `must be ${expected}`, value)
  }
}

/** Lets an option be left out, or be `undefined`. */
export function optional(rule: OptionRule): OptionRule {
  return (value, path) => {
    if (value !== undefined) rule(value, path)
  }
}

export const aText: OptionRule = ruleOf(
  (value) => typeof value === 'string' && value !== '',
  'a string that is not empty',
)

export const aBoolean: OptionRule = ruleOf((value) => typeof value === 'boolean', 'true or false')

export const aFunction: OptionRule = ruleOf((value) => typeof value === 'function', 'a function')

/** The longest time that the timers of all runtimes can wait: beyond it they fire at once. */
const longestTimer = 2 ** 31 - 1

/** Milliseconds to wait. */
export const aDelay: OptionRule = ruleOf(
  (value) => typeof value === 'number' && value > 0 && value <= longestTimer,
  `a positive number of milliseconds, at most ${longestTimer}`,
)

/** Milliseconds that something may be old. */
export const anAge: OptionRule = ruleOf(
  (value) => typeof value === 'number' && value > 0,
  'a positive number of milliseconds, or Infinity',
)

/** A bound of a buffer. */
export const aCount: OptionRule = ruleOf(
  (value) => Number.isSafeInteger(value) && Number(value) > 0,
  'a positive whole number',
)

export const aSignal: OptionRule = ruleOf(
  (value) => isObject(value) && 'aborted' in value && 'addEventListener' in value,
  'an AbortSignal',
)

export function oneOf(...allowed: readonly string[]): OptionRule {
  return ruleOf((value) => typeof value === 'string' && allowed.includes(value), `one of ${allowed.join(', ')}`)
}

/** An object, or a function, that has these methods. */
export function withMethods(...names: readonly string[]): OptionRule {
  return ruleOf(
    (value) => isObject(value) && names.every((name) => typeof Reflect.get(value, name) === 'function'),
    `an object with ${names.map((name) => `${name}()`).join(', ')}`,
  )
}

/** A list of any length, each member by `rule`. */
export function aListOf(rule: OptionRule): OptionRule {
  return (value, path) => {
    if (!Array.isArray(value)) return refuse(path, 'must be a list', value)
    for (const [index, member] of value.entries()) rule(member, `${path}[${index}]`)
  }
}

/** A plain object with any keys, each value by `rule`. A `Map` or `Headers` is refused: it would count as empty. */
export function aRecordOf(rule: OptionRule): OptionRule {
  return (value, path) => {
    if (!isRecord(value) || Symbol.iterator in value) return refuse(path, 'must be a plain object', value)
    for (const [key, member] of Object.entries(value)) rule(member, `${path}.${key}`)
  }
}

export const aClock: OptionRule = withMethods('now', 'setTimer')

/** What `flagdTargeting()` makes. */
export const aTargetingEngine: OptionRule = withMethods('compile')

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

function refuse(path: string, expected: string, value: unknown): never {
  // Numbers are shown: that it was NaN, or negative, is what is to be known. Anything else may hold a key.
  const shown = typeof value === 'number' ? String(value) : nameOf(value)
  throw new MillraceError('invalid_option', `${path} ${expected}, not ${shown}`, { path })
}
