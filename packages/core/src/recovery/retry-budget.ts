import { aClock, aNumber, checkOptions } from '../kit/checks.ts'
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
  /** Rescues a second, where that is more than `ratio` of all requests a second. Default: 20. */
  readonly rescueRate?: number
  /** Milliseconds that a rescue waits at most; one that would wait longer is refused. Default: 60,000. */
  readonly rescueWait?: number
}

const rules = { clock: aClock, ratio: aNumber, minimum: aNumber, rescueRate: aNumber, rescueWait: aNumber }

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
  /**
   * Takes a place for a rescue: the one request of a turn that is made although nothing is left. Returns the
   * milliseconds after which it may be made, or undefined where too many wait already. Default: at once.
   */
  rescue?(): number | undefined
}

/**
 * Creates a retry budget over a sliding minute: by default 10 % of requests, and never fewer than 10 a minute. Rescues
 * beyond that wait for their place: 20 a second, or 10 % of the requests a second if that is more.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function createRetryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  checkOptions(options, '', rules)
  const { clock = systemClock, ratio = 0.1, minimum = 10, rescueRate = 20, rescueWait = 60_000 } = options
  let nextPlace = 0
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
    rescue() {
      const perSecond = Math.max(rescueRate, (requests.total() * ratio * 1_000) / span)
      const now = clock.now()
      const place = Math.max(now, nextPlace)
      if (perSecond === 0 || place - now > rescueWait) return undefined
      nextPlace = place + 1_000 / perSecond
      return place - now
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

/**
 * Counts an extra request and returns the milliseconds to wait before it: `delay`, or longer for a rescue that the
 * budget has no room for. Undefined where it must not be made.
 */
export function reserve(budget: RetryBudget, delay: number, isRescue: boolean): number | undefined {
  if (budget.take() || !isRescue) return delay
  const wait = budget.rescue === undefined ? 0 : budget.rescue()
  return wait === undefined ? undefined : Math.max(delay, wait)
}
