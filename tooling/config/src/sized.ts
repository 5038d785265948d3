/** Whether the tests run as `pnpm test:long`. */
export const isLong: boolean = process.env['MILLRACE_TESTS'] === 'long'

/**
 * Returns how much of a sweep or of a property a test covers: `quick` under `pnpm test`, `long` under `pnpm test:long`,
 * which runs exactly the test files that import this.
 */
export function sized<T>({ quick, long }: { quick: T; long: T }): T {
  return isLong ? long : quick
}

/** Returns all cases under `pnpm test:long`, and under `pnpm test` only `count` of them, evenly spread. */
export function sampled<T>(cases: readonly T[], count: number): T[] {
  return isLong ? [...cases] : spread(cases, count)
}

/** Returns `count` of the cases, evenly spread, or all if there are no more. */
export function spread<T>(cases: readonly T[], count: number): T[] {
  if (cases.length <= count) return [...cases]
  return cases.filter(
    (_, index) => Math.floor((index * count) / cases.length) !== Math.floor(((index - 1) * count) / cases.length),
  )
}
