import { isMillraceError, type ErrorCode } from '../../kit/errors.ts'
import { isRecord } from '../../kit/guards.ts'

/** @throws Error where the two differ as JSON, the order of keys aside */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [left, right] = [canonical(actual), canonical(expected)]
  if (left !== right) throw new Error(`${what}: expected ${right}, got ${left}`)
}

export function expectTrue(condition: boolean, what: string): void {
  if (!condition) throw new Error(what)
}

/** @throws Error where `work` does not reject with a MillraceError of `code` */
export async function expectRejection(work: Promise<unknown>, code: ErrorCode, what: string): Promise<void> {
  let failure: unknown
  try {
    await work
  } catch (error) {
    failure = error
  }
  if (!isMillraceError(failure, code)) throw new Error(`${what}: expected a rejection with ${code}`, { cause: failure })
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (!isRecord(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
