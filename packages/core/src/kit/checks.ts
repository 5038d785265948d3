import { defined } from './defined.ts'
import { type ErrorCode, MillraceError } from './errors.ts'
import { hasMethod, isRecord } from './guards.ts'
import { nearest } from './nearest.ts'

/**
 * Throws the error for a wrong option: its path, and what is expected there.
 *
 * @throws MillraceError `code`, by default `invalid_option`
 */
export function refuse(path: string, expected: string, code: ErrorCode = 'invalid_option'): never {
  throw new MillraceError(code, `${path} ${expected}`, { path })
}

/** Throws unless `value`, the option at `path`, is what it must be. */
export type Rule = (value: unknown, path: string) => void

/** Makes a rule of a predicate and of what its error says after the path, such as `must be a function`. */
export function rule(isValid: (value: unknown) => boolean, expected: string): Rule {
  return (value, path) => {
    if (!isValid(value)) refuse(path, expected)
  }
}

/** Accepts anything: the option is checked elsewhere. */
export const anything: Rule = () => {}

export const aFunction: Rule = rule((value) => typeof value === 'function', 'must be a function')
export const aBoolean: Rule = rule((value) => typeof value === 'boolean', 'must be true or false')
export const anId: Rule = rule(
  (value) => typeof value === 'string' && value !== '',
  'must be a string that is not empty',
)
export const aSignal: Rule = rule(
  (value) => hasMethod(value, 'addEventListener') && 'aborted' in value,
  'must be an AbortSignal',
)

export const aNumber: Rule = rule(
  (value) => typeof value === 'number' && value >= 0 && value < Infinity,
  'must be a number of at least 0',
)

/** The largest delay that `setTimeout` takes; a larger one fires at once. */
const maxDelay = 2 ** 31 - 1

/** A delay in milliseconds, from `minimum` to the largest that timers take. */
export function aDelay(minimum = 1): Rule {
  return rule(
    (value) => typeof value === 'number' && value >= minimum && value <= maxDelay,
    `must be a number of milliseconds, from ${minimum} to ${maxDelay}`,
  )
}

/** A whole number of at least `minimum`. */
export function aCount(minimum: number): Rule {
  return rule(
    (value) => Number.isSafeInteger(value) && Number(value) >= minimum,
    `must be a whole number of at least ${minimum}`,
  )
}

/** One of the `allowed` values. */
export function oneOf(...allowed: readonly unknown[]): Rule {
  return rule(
    (value) => allowed.includes(value),
    `must be one of ${allowed.map((value) => JSON.stringify(value)).join(', ')}`,
  )
}

/** An object that has these methods. */
export function withMethods(...names: readonly string[]): Rule {
  return rule(
    (value) => names.every((name) => hasMethod(value, name)),
    `must be an object with ${names.map((name) => `${name}()`).join(', ')}`,
  )
}

/** A clock, as every option of this name takes it. */
export const aClock: Rule = withMethods('now', 'setTimer')

/** An array of any length whose every member passes `member`. */
export function aListOf(member: Rule): Rule {
  return (value, path) => {
    if (!Array.isArray(value)) return refuse(path, 'must be an array')
    for (const [index, item] of value.entries()) member(item, `${path}[${index}]`)
  }
}

/** A plain object with any keys whose every value passes `member`. A `Map` or `Headers` would count as empty, and is refused. */
export function aRecordOf(member: Rule): Rule {
  return (value, path) => {
    if (!isRecord(value) || Symbol.iterator in value) return refuse(path, 'must be a plain object')
    for (const [key, item] of Object.entries(value)) member(item, `${path}.${key}`)
  }
}

/** An object whose every key has a rule. */
export function anObject(rules: Readonly<Record<string, Rule>>): Rule {
  return (value, path) => void checkOptions(value, path, rules)
}

/**
 * Checks each option by its rule and returns the options. An option that is `undefined` counts as not given.
 *
 * @param path where the options stand, empty for a function's own
 * @param name what a function's own options are called
 * @param needed the options that must be given
 * @throws MillraceError `unknown_option` for a key without a rule, `invalid_option` where a rule says so
 */
export function checkOptions(
  given: unknown,
  path: string,
  rules: Readonly<Record<string, Rule>>,
  name = 'options',
  needed: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  if (!isRecord(given)) refuse(path === '' ? name : path, 'must be an object')
  for (const key of new Set([...Object.keys(given), ...needed])) {
    const value = given[key]
    const at = path === '' ? key : `${path}.${key}`
    const check = Object.hasOwn(rules, key) ? rules[key] : undefined
    if (check === undefined) throw unknownOption(at, key, Object.keys(rules))
    if (value !== undefined || needed.includes(key)) check(value, at)
  }
  return given
}

/** The error for an option that does not exist: names the nearest one that does, else all of them. */
export function unknownOption(path: string, key: string, known: readonly string[]): MillraceError {
  const near = nearest(key, known)
  const hint = near === undefined ? `expected one of ${known.join(', ')}` : `did you mean "${near}"?`
  return new MillraceError('unknown_option', `unknown option "${path}"; ${hint}`, { path })
}

/** Returns `given` over `defaults`. An option that is `undefined` counts as not given. */
export function withDefaults<T extends object>(defaults: T, given: Partial<T>): T {
  return { ...defaults, ...defined(given) }
}
