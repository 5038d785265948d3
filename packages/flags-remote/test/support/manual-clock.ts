import type { Clock } from '@millrace/core'

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/** A clock that moves only when told to. */
export interface ManualClock extends Clock {
  /** Moves time on, firing what falls due in its order. Promises that a timer resolves run after this returns. */
  advance(ms: number): void
  /** Timers that are set. */
  readonly pending: number
}

export function manualClock(start = 1_000_000): ManualClock {
  let now = start
  const timers = new Set<Timer>()
  return {
    now: () => now,
    setTimer(fire, ms) {
      const timer = { at: now + ms, fire }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    advance(ms) {
      const end = now + ms
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
        if (next === undefined) break
        timers.delete(next)
        now = Math.max(now, next.at)
        next.fire()
      }
      now = end
    },
    get pending() {
      return timers.size
    },
  }
}
