import { expect } from 'vitest'
import { type ErrorCode, isMillraceError } from '../../src/index.ts'

/** Calls with what TypeScript would not allow. */
export function call(target: unknown, ...args: readonly unknown[]): unknown {
  if (typeof target !== 'function') throw new TypeError('not a function')
  return Reflect.apply(target, undefined, args)
}

export function errorOf(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** An offence: what is wrong, its options, and the code, path and expectation of the error. */
export type Offence = readonly [what: string, given: unknown, code: ErrorCode, path: string, expected: RegExp]

export function expectError(error: unknown, [, , code, path, expected]: Offence): void {
  expect(isMillraceError(error)).toBe(true)
  expect(error).toMatchObject({ name: 'MillraceError', code, path, retryable: false })
  const message = error instanceof Error ? error.message : ''
  expect(message).toMatch(expected)
  expect(message.includes(path) || path === 'options' || path === 'input').toBe(true)
}

/** What is said of a wrong delay. */
export const delay: RegExp = /number of milliseconds/
