import { type Clock, systemClock } from '../kit/clock.ts'

const span = 60_000
const slots = 12

export interface RetryBudgetOptions {
  /** Default: the platform's. */
  readonly clock?: Clock
  /** Extra requests as a share of all requests of the last minute. Default: 0.1. */
  readonly ratio?: number
  /** Extra requests a minute that are always allowed. Default: 10. */
  readonly minimum?: number
}

/**
 * Keeps retries from becoming a load of their own. Give one to several agents that share a model endpoint; without,
 * each agent has its own.
 */
export interface RetryBudget {
  /** Counts a request that is no retry. */
  request(): void
  /** Takes an extra request; false, and none taken, where the last minute has no room for it. */
  take(): boolean
  /** How many extra requests are left now. */
  readonly left: number
}

/** A retry budget over a sliding minute: by default 10 % of requests, and never fewer than 10 a minute. */
export function createRetryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  const { clock = systemClock, ratio = 0.1, minimum = 10 } = options
  const requests = slidingCount(clock)
  const extras = slidingCount(clock)
  const left = (): number => Math.floor(Math.max(minimum, requests.total() * ratio)) - extras.total()
  return {
    request: () => requests.add(),
    take() {
      if (left() < 1) return false
      extras.add()
      return true
    },
    get left() {
      return Math.max(0, left())
    },
  }
}

/** Counts over the last minute, in twelve slots that are reused. */
function slidingCount(clock: Clock): { add(): void; total(): number } {
  const counts = Array.from({ length: slots }, () => ({ slot: -1, count: 0 }))
  const now = (): number => Math.floor(clock.now() / (span / slots))
  return {
    add() {
      const slot = now()
      const entry = counts[slot % slots]
      if (entry === undefined) return
      if (entry.slot !== slot) Object.assign(entry, { slot, count: 0 })
      entry.count += 1
    },
    total() {
      const oldest = now() - slots
      return counts.reduce((sum, { slot, count }) => (slot > oldest ? sum + count : sum), 0)
    },
  }
}
