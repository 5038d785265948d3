import type { Clock } from '../src/index.ts'

export interface ManualClock extends Clock {
  advance(ms: number): void
  pending(): number
}

/** A clock that stands still until it is told to go on. */
export function manualClock(): ManualClock {
  let now = 0
  const timers = new Set<{ at: number; fire: () => void }>()
  return {
    now: () => now,
    setTimer(fire, ms) {
      const timer = { at: now + ms, fire }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    pending: () => timers.size,
    advance(ms) {
      now += ms
      for (const timer of timers) {
        if (timer.at > now) continue
        timers.delete(timer)
        timer.fire()
      }
    },
  }
}
