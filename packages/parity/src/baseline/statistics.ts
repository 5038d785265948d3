/** How values are spread. All are 0 where there are none. */
export interface Distribution {
  readonly n: number
  readonly mean: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** Quantiles are values that occurred (nearest rank): of few values they claim nothing in between. */
export function distribution(values: readonly number[]): Distribution {
  const sorted = values.toSorted((one, other) => one - other)
  const n = sorted.length
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * n) - 1)] ?? 0
  const mean = n === 0 ? 0 : sorted.reduce((total, value) => total + value, 0) / n
  return { n, mean, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1) ?? 0 }
}

/** A share; 0 of nothing. */
export function rate(part: number, all: number): number {
  return all === 0 ? 0 : part / all
}

export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
