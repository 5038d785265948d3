import { isRecord } from '@millrace/core/kit'

/** The speed and the remaining time of a tool that reports its total. It is in `data.estimate` of the event. */
export interface ProgressEstimate {
  /** Units of `progress` per second, over about the last ten seconds. */
  readonly rate: number
  /** Milliseconds until `progress` reaches `total` at that rate. Absent while the tool stands still. */
  readonly etaMs?: number
}

/** Returns the estimate in a progress event's `data`, if there is one. */
export function estimateOf(data: unknown): ProgressEstimate | undefined {
  const estimate = isRecord(data) ? data['estimate'] : undefined
  if (!isRecord(estimate) || typeof estimate['rate'] !== 'number') return undefined
  const { rate, etaMs } = estimate
  return typeof etaMs === 'number' ? { rate, etaMs } : { rate }
}

/** Estimates speed from positions in time. */
export interface Estimator {
  /** @param now milliseconds */
  at(progress: number, total: number | undefined, now: number): ProgressEstimate | undefined
}

/** The weight of a speed falls to 1/e after this many milliseconds: long enough for a steady rate, short enough to follow a change. */
const memoryMs = 10_000

/**
 * Makes an estimator: an exponentially weighted mean of the speed, corrected for its start. Counting begins at the first
 * position, because a tool that resumes halfway has not covered that half at infinite speed.
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
