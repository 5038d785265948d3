/** Ways to do the same work, of which the first is what the others are compared with. */
export interface Comparison {
  readonly name: string
  /** What is counted, in the singular: `delta`, `run`. */
  readonly unit: string
  readonly variants: Readonly<Record<string, Work>>
}

/** Does the work `units` times over. */
export type Work = (units: number) => Promise<void>

export interface CompareOptions {
  readonly units: number
  readonly rounds: number
  /** Milliseconds, monotone. Default: the platform's. */
  readonly now?: () => number
}

export interface Row {
  readonly variant: string
  /** Median time over the median time of the first variant. */
  readonly ratio: number
  readonly nsPerUnit: number
}

/**
 * Times the variants in turn, round by round, so that whatever else the machine does meets all of them alike. Each does
 * the work once before it is timed.
 */
export async function compare(
  { variants }: Comparison,
  { units, rounds, now = () => performance.now() }: CompareOptions,
): Promise<readonly Row[]> {
  const timed = Object.entries(variants).map(([variant, work]) => ({ variant, work, times: new Array<number>() }))
  for (const { work } of timed) await work(units)
  for (let round = 0; round < rounds; round++) {
    for (const { work, times } of timed) {
      const start = now()
      await work(units)
      times.push(now() - start)
    }
  }
  const medians = timed.map(({ times }) => median(times))
  return timed.map(({ variant }, index) => {
    const time = medians[index] ?? Number.NaN
    return { variant, ratio: time / (medians[0] ?? Number.NaN), nsPerUnit: (time * 1e6) / units }
  })
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/** The rows as a table of text. */
export function formatRows(
  { name, unit }: Comparison,
  { units, rounds }: CompareOptions,
  rows: readonly Row[],
): string {
  const width = Math.max(...rows.map(({ variant }) => variant.length))
  const lines = rows.map(
    ({ variant, ratio, nsPerUnit }) =>
      `  ${variant.padEnd(width)}  ${ratio.toFixed(2).padStart(6)}  ${Math.round(nsPerUnit).toLocaleString('en').padStart(12)} ns per ${unit}`,
  )
  return [`${name}: ${units.toLocaleString('en')} × ${unit}, median of ${rounds}`, ...lines].join('\n')
}
