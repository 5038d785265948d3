import { isRecord } from './report.ts'

/** How fast a tool is and how long it will still take, where it knows its total. Found in `data.estimate`. */
export interface ProgressEstimate {
  /** Units of `progress` per second, of late. */
  readonly rate: number
  /** Milliseconds until `progress` reaches `total` at that rate. Absent while nothing moves. */
  readonly etaMs?: number
}

/** The estimate in a progress event's `data`, where there is one. */
export function estimateOf(data: unknown): ProgressEstimate | undefined {
  const estimate = isRecord(data) ? data['estimate'] : undefined
  if (!isRecord(estimate) || typeof estimate['rate'] !== 'number') return undefined
  const { rate, etaMs } = estimate
  return typeof etaMs === 'number' ? { rate, etaMs } : { rate }
}

/** Turns positions in time into an estimate. */
export interface Estimator {
  /** @param now ms */
  at(progress: number, total: number | undefined, now: number): ProgressEstimate | undefined
}

/** Older speed counts for 1/e after this many milliseconds: long enough to be calm, short enough to follow a change. */
const memoryMs = 10_000

/**
 * An exponentially weighted mean of the speed, corrected for its start. The first position is where counting begins: a
 * tool that resumes at half its way has not covered that half at infinite speed.
 */
export function createEstimator(): Estimator {
  let first: number | undefined
  let last = { progress: 0, now: 0 }
  let weighted = 0
  return {
    at(progress, total, now) {
      if (first === undefined) {
        first = now
        last = { progress, now }
        return undefined
      }
      const elapsed = now - last.now
      if (elapsed > 0) {
        const speed = ((progress - last.progress) * 1000) / elapsed
        weighted += (1 - Math.exp(-elapsed / memoryMs)) * (speed - weighted)
        last = { progress, now }
      }
      const known = 1 - Math.exp(-Math.max(0, last.now - first) / memoryMs)
      if (total === undefined || known === 0) return undefined
      const rate = weighted / known
      return rate > 0 ? { rate, etaMs: Math.round(((total - progress) * 1000) / rate) } : { rate: 0 }
    },
  }
}
