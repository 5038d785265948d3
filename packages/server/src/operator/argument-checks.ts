import { MillraceError } from '@millrace/core'

/** Throws what an option is wrong with: its path, and what is expected there. */
export function refuse(path: string, expected: string): never {
  throw new MillraceError('invalid_option', `${path} ${expected}`, { path })
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * For adapters: that options are an object whose keys are all known. `path` is empty for the options themselves.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`, with the path
 */
export function checkKeys(given: unknown, path: string, known: readonly string[]): void {
  if (!isRecord(given)) refuse(path === '' ? 'options' : path, 'must be an object')
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue
    const at = path === '' ? key : `${path}.${key}`
    throw new MillraceError('unknown_option', `${at} is no option; known here are ${known.join(', ')}`, { path: at })
  }
}

/** The largest delay that timers take. */
const maxDelay = 2 ** 31 - 1

/** For adapters: that an option is a number of milliseconds that timers take. @throws MillraceError `invalid_option` */
export function checkDelay(value: unknown, path: string): void {
  const valid = typeof value === 'number' && value >= 1 && value <= maxDelay
  if (value !== undefined && !valid) refuse(path, `must be a number of milliseconds, from 1 to ${maxDelay}`)
}

export function checkCount(value: unknown, path: string): void {
  if (value !== undefined && !(Number.isSafeInteger(value) && Number(value) >= 1)) {
    refuse(path, 'must be a whole number of at least 1')
  }
}

export function checkFunction(value: unknown, path: string): void {
  if (value !== undefined && typeof value !== 'function') refuse(path, 'must be a function')
}

/** An object that has these methods, where it is given at all. */
export function checkMethods(value: unknown, path: string, methods: readonly string[]): void {
  if (value === undefined) return
  if (!hasMethods(value, methods))
    refuse(path, `must be an object with ${methods.map((name) => `${name}()`).join(', ')}`)
}

/**
 * For adapters: that they were given a handler, and not what a handler is made of.
 *
 * @throws MillraceError `invalid_option`, with the path `handler`
 */
export function checkHandler(value: unknown, method: 'fetch' | 'handle'): void {
  if (hasMethods(value, [method])) return
  const hint = hasMethods(value, ['run']) ? '; this is an agent: give createHandler({ agent, runs })' : ''
  refuse('handler', `must be what createHandler of @millrace/server gave${hint}`)
}

/**
 * For adapters: that they were given a run under way.
 *
 * @throws MillraceError `invalid_option`, with the path `run`
 */
export function checkRun(value: unknown): void {
  const isRun = hasMethods(value, ['interrupt']) && Symbol.asyncIterator in value && 'result' in value
  if (isRun) return
  const hint = hasMethods(value, ['run']) ? '; this is an agent: give agent.run({ messages })' : ''
  refuse('run', `must be a run, as agent.run() gives${hint}`)
}

function hasMethods(value: unknown, methods: readonly string[]): value is object {
  if (typeof value !== 'object' || value === null) return false
  return methods.every((name) => typeof Reflect.get(value, name) === 'function')
}
