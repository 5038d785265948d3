import type { Clock } from '../kit/clock.ts'

/**
 * Time that jumps. It stands still while anything moves, and goes on to the next timer once nothing has moved for a few
 * real milliseconds. A wait of minutes takes milliseconds, on a busy machine as well.
 */
export interface QuietTime {
  /** Returns a clock on this time that counts its own timers. */
  clock(): Clock & { readonly pending: number }
  /** Stops time for good. No timer fires after that. */
  stop(): void
}

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/** How many looks in a row must find that nothing moved. There is one every `lookEvery` ms. */
const quietLooks = 3
const lookEvery = 4

/**
 * @param activity a number that differs whenever something moved, such as bytes sent
 * @param start the time at the beginning, in ms since the epoch
 */
export function createQuietTime(activity: () => number, start: number = Date.now()): QuietTime {
  let now = start
  let moved = 0
  let last = activity()
  let quiet = 0
  const timers = new Set<Timer>()

  const look = (): void => {
    const current = activity() + moved
    quiet = current === last ? quiet + 1 : 0
    last = current
    if (quiet < quietLooks) return
    let next: Timer | undefined
    for (const timer of timers) if (next === undefined || timer.at < next.at) next = timer
    if (next === undefined) return
    now = Math.max(now, next.at)
    timers.delete(next)
    moved++
    next.fire()
  }
  const interval = setInterval(look, lookEvery)

  return {
    clock() {
      const own = new Set<Timer>()
      return {
        now: () => now,
        setTimer(fire, ms) {
          moved++
          const timer: Timer = {
            at: now + Math.max(0, ms),
            fire: () => {
              own.delete(timer)
              fire()
            },
          }
          timers.add(timer)
          own.add(timer)
          return () => {
            timers.delete(timer)
            own.delete(timer)
          }
        },
        get pending() {
          return own.size
        },
      }
    },
    stop() {
      clearInterval(interval)
      timers.clear()
    },
  }
}
