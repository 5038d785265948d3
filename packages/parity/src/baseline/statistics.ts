/** How values are spread. Without values, everything but `n` is null. */
export interface Distribution {
  readonly n: number
  readonly mean: number | null
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
  readonly max: number | null
}

/**
 * Returns how values are spread. Quantiles are values that occurred (nearest rank), so few values are not interpolated.
 */
export function distribution(values: readonly number[]): Distribution {
  const sorted = values.toSorted((one, other) => one - other)
  const n = sorted.length
  const at = (share: number): number | null => sorted[Math.max(0, Math.ceil(share * n) - 1)] ?? null
  const mean = n === 0 ? null : sorted.reduce((total, value) => total + value, 0) / n
  return { n, mean, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1) ?? null }
}

/** Returns a share, or null without anything to share. */
export function rate(part: number, all: number): number | null {
  return all === 0 ? null : part / all
}

export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
