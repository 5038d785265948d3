import { defined } from '../defined.ts'
import { type ErrorCode, MillraceError } from '../errors.ts'
import { isRecord } from '../messages.ts'
import { hasMethod } from '../objects.ts'

/** Throws what an option is wrong with: its path, and what is expected there. */
export function refuse(path: string, expected: string, code: ErrorCode = 'invalid_option'): never {
  throw new MillraceError(code, `${path} ${expected}`, { path })
}

/** Throws where `value`, the option at `path`, is not what it has to be. */
export type Rule = (value: unknown, path: string) => void

export function rule(isValid: (value: unknown) => boolean, expected: string): Rule {
  return (value, path) => {
    if (!isValid(value)) refuse(path, expected)
  }
}

/** Anything: the option is looked at elsewhere. */
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

/** The largest delay that timers take. */
const maxDelay = 2 ** 31 - 1

export function aDelay(minimum = 1): Rule {
  return rule(
    (value) => typeof value === 'number' && value >= minimum && value <= maxDelay,
    `must be a number of milliseconds, from ${minimum} to ${maxDelay}`,
  )
}

export function aCount(minimum: number): Rule {
  return rule(
    (value) => Number.isSafeInteger(value) && Number(value) >= minimum,
    `must be a whole number of at least ${minimum}`,
  )
}

export function oneOf(...allowed: readonly unknown[]): Rule {
  return rule((value) => allowed.includes(value), `must be one of ${allowed.join(', ')}`)
}

/** An object that has these methods. */
export function withMethods(...names: readonly string[]): Rule {
  return rule(
    (value) => names.every((name) => hasMethod(value, name)),
    `must be an object with ${names.map((name) => `${name}()`).join(', ')}`,
  )
}

/** An object whose every key has a rule. */
export function anObject(rules: Readonly<Record<string, Rule>>): Rule {
  return (value, path) => void checkOptions(value, path, rules)
}

/**
 * Checks each option by its rule; one that is undefined was not given.
 *
 * @param path where the options stand, empty for a function's own
 * @param name what a function's own options are called
 * @throws MillraceError `unknown_option` for a key without a rule, `invalid_option` where a rule says so
 */
export function checkOptions(
  given: unknown,
  path: string,
  rules: Readonly<Record<string, Rule>>,
  name = 'options',
): Readonly<Record<string, unknown>> {
  if (!isRecord(given)) refuse(path === '' ? name : path, 'must be an object')
  for (const [key, value] of Object.entries(given)) {
    const at = path === '' ? key : `${path}.${key}`
    const known = Object.hasOwn(rules, key) ? rules[key] : undefined
    if (known === undefined) {
      refuse(at, `is no option; known here are ${Object.keys(rules).join(', ')}`, 'unknown_option')
    }
    if (value !== undefined) known(value, at)
  }
  return given
}

/** `given` over `defaults`; an option that is undefined is one that was not given. */
export function withDefaults<T extends object>(defaults: T, given: Partial<T>): T {
  return { ...defaults, ...defined(given) }
}
