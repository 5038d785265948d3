import type { Clock } from '../kit/clock.ts'

/** A clock that stands still until a test moves it. It fits everything in Millrace that takes a `clock`. */
export interface ManualClock extends Clock {
  /**
   * Moves the time on by `ms` milliseconds and fires the timers that fall due, in order, including timers that they
   * set. Returns before promises settle that wait for those timers. A negative `ms` sets the clock back and fires
   * nothing.
   */
  advance(ms: number): void
  /**
   * Resolves once a timer of `ms` milliseconds is pending, or any timer where `ms` is left out. Wait for it before you
   * advance, so that the code under test has come as far as its timer.
   */
  timer(ms?: number): Promise<void>
  /** How many timers are set and have neither fired nor been cancelled. */
  readonly pending: number
  /** How many timers were ever set. */
  readonly timersSet: number
}

interface Timer {
  readonly at: number
  readonly delay: number
  readonly fire: () => void
}

interface Waiter {
  readonly delay: number | undefined
  readonly resolve: () => void
}

/** @param start milliseconds since the epoch; default: a moment in 2026 */
export function manualClock(start = 1_780_000_000_000): ManualClock {
  const timers = new Set<Timer>()
  const waiting = new Set<Waiter>()
  let now = start
  let timersSet = 0

  return {
    now: () => now,
    setTimer(fire, delay) {
      const timer = { at: now + delay, delay, fire }
      timers.add(timer)
      timersSet += 1
      for (const waiter of waiting) {
        if (waiter.delay !== undefined && waiter.delay !== delay) continue
        waiting.delete(waiter)
        waiter.resolve()
      }
      return () => {
        timers.delete(timer)
      }
    },
    advance(ms) {
      const end = now + ms
      for (;;) {
        const next = earliest(timers)
        if (next === undefined || next.at > end) break
        timers.delete(next)
        // A timer that is overdue, since the clock was set back and on again, does not turn the time back.
        now = Math.max(now, next.at)
        next.fire()
      }
      now = end
    },
    timer(delay) {
      const isThere = [...timers].some((timer) => delay === undefined || timer.delay === delay)
      return isThere ? Promise.resolve() : new Promise((resolve) => waiting.add({ delay, resolve }))
    },
    get pending() {
      return timers.size
    },
    get timersSet() {
      return timersSet
    },
  }
}

/** Of timers that are due at the same time, the one that was set first. */
function earliest(timers: Iterable<Timer>): Timer | undefined {
  let first: Timer | undefined
  for (const timer of timers) if (first === undefined || timer.at < first.at) first = timer
  return first
}
