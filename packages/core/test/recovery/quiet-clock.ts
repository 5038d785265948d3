import type { Clock } from '../../src/index.ts'

/** Looks, one each `lookEvery` real ms, that must find nothing moved before time jumps. */
const quietLooks = 3
const lookEvery = 3

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/**
 * A clock that stands still while anything moves, and jumps to its next timer when nothing does. Time that jumps too
 * early, on a busy machine, is one more fault: what holds for all faults holds for it.
 *
 * @param activity differs whenever something has moved
 */
export function quietClock(activity: () => number): Clock & { stop(): void } {
  const timers = new Set<Timer>()
  let now = 1_780_000_000_000
  let set = 0
  let quiet = 0
  let last = ''

  const look = (): void => {
    const current = `${activity()} ${set}`
    quiet = current === last ? quiet + 1 : 0
    last = current
    const [next] = quiet < quietLooks ? [] : [...timers].toSorted((a, b) => a.at - b.at)
    if (next === undefined) return
    quiet = 0
    now = Math.max(now, next.at)
    timers.delete(next)
    next.fire()
  }
  const interval = setInterval(look, lookEvery)

  return {
    now: () => now,
    setTimer(fire, ms) {
      set += 1
      const timer = { at: now + Math.max(0, ms), fire }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    stop() {
      clearInterval(interval)
      timers.clear()
    },
  }
}
