import { type ErrorCode, MillraceError } from '../errors.ts'
import { isRecord } from '../messages.ts'

/** Throws what an option is wrong with: its path, and what is expected there. */
export function refuse(path: string, expected: string, code: ErrorCode = 'invalid_option'): never {
  throw new MillraceError(code, `${path} ${expected}`, { path })
}

/** The options, known to be an object whose keys are all known. */
export function checkKeys(given: unknown, path: string, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (!isRecord(given)) refuse(path, 'must be an object')
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue
    const at = path === 'options' || path === 'input' ? key : `${path}.${key}`
    refuse(at, `is no option; known here are ${known.join(', ')}`, 'unknown_option')
  }
  return given
}

/** The largest delay that timers take. */
const maxDelay = 2 ** 31 - 1

export function checkDelay(value: unknown, path: string, minimum = 1): void {
  const valid = typeof value === 'number' && value >= minimum && value <= maxDelay
  if (value !== undefined && !valid) refuse(path, `must be a number of milliseconds, from ${minimum} to ${maxDelay}`)
}

export function checkCount(value: unknown, path: string, minimum: number): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && Number(value) >= minimum)) {
    refuse(path, `must be a whole number of at least ${minimum}`)
  }
}

export function checkFunction(value: unknown, path: string): void {
  if (value !== undefined && typeof value !== 'function') refuse(path, 'must be a function')
}

export function checkBoolean(value: unknown, path: string): void {
  if (value !== undefined && typeof value !== 'boolean') refuse(path, 'must be true or false')
}

export function checkOneOf(value: unknown, path: string, allowed: readonly string[]): void {
  if (value !== undefined && !(typeof value === 'string' && allowed.includes(value))) {
    refuse(path, `must be one of ${allowed.join(', ')}`)
  }
}

/** An object that has these methods, where it is given at all. */
export function checkMethods(value: unknown, path: string, methods: readonly string[]): void {
  if (value === undefined) return
  const has = (method: string): boolean =>
    typeof value === 'object' && value !== null && typeof Reflect.get(value, method) === 'function'
  if (!methods.every(has)) refuse(path, `must be an object with ${methods.map((name) => `${name}()`).join(', ')}`)
}

export function checkSignal(value: unknown, path: string): void {
  if (value === undefined) return
  const valid = typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value
  if (!valid) refuse(path, 'must be an AbortSignal')
}

/** `given` over `defaults`; an option that is undefined is one that was not given. */
export function withDefaults<T extends object>(defaults: T, given: Partial<T>): T {
  const merged = { ...defaults }
  for (const [key, value] of Object.entries(given)) if (value !== undefined) Object.assign(merged, { [key]: value })
  return merged
}
