import { refuse } from './checks.ts'
import type { ErrorCode } from './errors.ts'
import { isRecord } from './guards.ts'

/**
 * Returns a JSON value in which U+FFFD stands for every half of a surrogate pair: JSON can carry a half, the API
 * refuses it. Returns `value` itself where nothing has to change.
 */
export function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (findHalfPair(value, '') === undefined) return value
  if (Array.isArray(value)) return value.map(wellFormed)
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key.toWellFormed(), wellFormed(each)]))
}

/**
 * Refuses a JSON value, the option at `path`, that holds half of a surrogate pair anywhere. Text is left with one where
 * it was cut by UTF-16 code units, as `slice` does, and the API refuses the whole request for it.
 *
 * @throws MillraceError with the path of the string
 */
export function refuseHalfPairs(value: unknown, path: string, code?: ErrorCode): void {
  const found = findHalfPair(value, path)
  if (found !== undefined) refuse(found, 'must not hold half of a surrogate pair', code)
}

/** Returns the path of the first string in a JSON value, at `path`, that holds half of a surrogate pair. */
function findHalfPair(value: unknown, path: string): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : path
  if (Array.isArray(value)) {
    for (const [index, each] of value.entries()) {
      const found = findHalfPair(each, `${path}[${index}]`)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (!isRecord(value)) return undefined
  for (const [key, each] of Object.entries(value)) {
    const found = key.isWellFormed() ? findHalfPair(each, `${path}.${key}`) : path
    if (found !== undefined) return found
  }
  return undefined
}

/** Whether a text ends with the first half of a surrogate pair. */
export function endsInHalfPair(text: string): boolean {
  const code = text.charCodeAt(text.length - 1)
  return code >= 0xd800 && code <= 0xdbff
}
