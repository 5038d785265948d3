/**
 * The upper boundaries of all histograms of a window, in milliseconds: from 50 ms to 10.5 minutes, each 25 % above the
 * previous one. They never change, so that counts of different instances and versions can be added.
 */
export const latencyBoundaries: readonly number[] = Array.from({ length: 42 }, (_, index) =>
  Math.round(50 * 2 ** (index / 3)),
)

/** Counts of values by bucket, as JSON. Histograms can be added. */
export interface HistogramCounts {
  /** `counts[i]`: values up to `latencyBoundaries[i]` and above the boundary before it; the last: all that are larger. */
  readonly counts: readonly number[]
  readonly count: number
  /** Milliseconds. */
  readonly sum: number
}

export interface Histogram {
  readonly counts: number[]
  count: number
  sum: number
}

export function emptyHistogram(): Histogram {
  return { counts: Array.from({ length: latencyBoundaries.length + 1 }, () => 0), count: 0, sum: 0 }
}

export function addValue(histogram: Histogram, ms: number): void {
  const index = latencyBoundaries.findIndex((boundary) => ms <= boundary)
  const at = index === -1 ? latencyBoundaries.length : index
  histogram.counts[at] = (histogram.counts[at] ?? 0) + 1
  histogram.count += 1
  histogram.sum += ms
}

export function addHistogram(into: Histogram, from: HistogramCounts, sign: 1 | -1 = 1): void {
  for (const [index, count] of from.counts.entries()) into.counts[index] = (into.counts[index] ?? 0) + sign * count
  into.count += sign * from.count
  into.sum += sign * from.sum
}

/**
 * Returns the value below which the share `q` (0 to 1) of the values lies, in milliseconds, interpolated within its bucket.
 * Returns the last boundary if the value is above it, and undefined without values.
 */
export function histogramQuantile({ counts, count }: HistogramCounts, q: number): number | undefined {
  if (count === 0) return undefined
  const rank = Math.min(Math.max(q, 0), 1) * count
  let below = 0
  let lower = 0
  for (const [index, boundary] of latencyBoundaries.entries()) {
    const here = counts[index] ?? 0
    if (here > 0 && below + here >= rank) return lower + ((boundary - lower) * (rank - below)) / here
    below += here
    lower = boundary
  }
  return lower
}

/** Returns how many values are above `ms`: exactly at a boundary, otherwise above the next higher boundary. */
export function countAbove({ counts }: HistogramCounts, ms: number): number {
  const index = latencyBoundaries.findIndex((boundary) => boundary >= ms)
  return index === -1 ? (counts.at(-1) ?? 0) : counts.slice(index + 1).reduce((sum, count) => sum + count, 0)
}
