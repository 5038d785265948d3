import type { Clock } from '@millrace/core'

/** A clock that stands still until it is told to move. */
export interface ManualClock extends Clock {
  /** Moves the time on and fires, in order, the timers that come due, those set meanwhile included. */
  advance(ms: number): void
  /** Timers that are set and have neither fired nor been cancelled. */
  pending(): number
  /** How many timers were ever set. */
  readonly timersSet: number
  /** Resolves once a timer of this delay is set; at once where one is pending. */
  timer(ms: number): Promise<void>
}

interface Timer {
  readonly at: number
  readonly delay: number
  readonly fire: () => void
}

export function manualClock(start = 1_780_000_000_000): ManualClock {
  const timers = new Set<Timer>()
  const waiting = new Set<{ readonly delay: number; readonly resolve: () => void }>()
  let now = start
  let timersSet = 0
  return {
    now: () => now,
    setTimer(fire, delay) {
      const timer = { at: now + delay, delay, fire }
      timers.add(timer)
      timersSet += 1
      for (const waiter of waiting) {
        if (waiter.delay !== delay) continue
        waiting.delete(waiter)
        waiter.resolve()
      }
      return () => void timers.delete(timer)
    },
    advance(ms) {
      const end = now + ms
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0]
        if (due === undefined) break
        timers.delete(due)
        now = Math.max(now, due.at)
        due.fire()
      }
      now = end
    },
    pending: () => timers.size,
    get timersSet() {
      return timersSet
    },
    timer(delay) {
      if ([...timers].some((timer) => timer.delay === delay)) return Promise.resolve()
      return new Promise((resolve) => waiting.add({ delay, resolve }))
    },
  }
}
