import type { Clock } from '../../kit/clock.ts'

/** A clock that stands still until it is told to move. */
export interface ManualClock extends Clock {
  /** Moves the time on and fires, in order, the timers that come due. */
  advance(ms: number): void
  /** Timers that are set and have not fired. */
  readonly timers: number
}

/** @param start ms since the epoch; default: a moment in 2026 */
export function manualClock(start = 1_780_000_000_000): ManualClock {
  const timers = new Set<{ readonly at: number; readonly fire: () => void }>()
  let now = start
  return {
    now: () => now,
    setTimer(fire, ms) {
      const timer = { at: now + ms, fire }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    advance(ms) {
      const end = now + ms
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
        if (!due) break
        timers.delete(due)
        now = Math.max(now, due.at)
        due.fire()
      }
      now = end
    },
    get timers() {
      return timers.size
    },
  }
}
