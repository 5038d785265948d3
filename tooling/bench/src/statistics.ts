/** How a peer did in a measure, over all rounds. */
export interface Result {
  readonly peer: string
  /** Quartiles of what was measured. */
  readonly low: number
  readonly median: number
  readonly high: number
  /** The median over the median of the baseline. */
  readonly ratio: number
}

export function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  const place = (sorted.length - 1) * fraction
  const below = sorted[Math.floor(place)] ?? Number.NaN
  const above = sorted[Math.ceil(place)] ?? Number.NaN
  return below + (above - below) * (place - Math.floor(place))
}

/** Sums up what each peer took in each round; the first peer is what the others are compared with. */
export function summarize(taken: ReadonlyMap<string, readonly number[]>): readonly Result[] {
  const [first = []] = taken.values()
  const base = quantile(first, 0.5)
  return [...taken].map(([peer, values]) => {
    const median = quantile(values, 0.5)
    return { peer, low: quantile(values, 0.25), median, high: quantile(values, 0.75), ratio: median / base }
  })
}
