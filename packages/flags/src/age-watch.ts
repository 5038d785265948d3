import type { CancelTimer, Clock } from '@millrace/core'

/** Notices that something was not confirmed for too long. */
export interface AgeWatch {
  isStale(asOf: number): boolean
  /** Waits for what was confirmed at `asOf` to become stale, instead of what it waited for before. */
  follow(asOf: number): void
  stop(): void
}

/** Calls `onStale` once, when what is followed is older than `maxAge` milliseconds (`Infinity`: never). */
export function createAgeWatch(clock: Clock, maxAge: number, onStale: (ageMs: number) => void): AgeWatch {
  let cancel: CancelTimer | undefined
  const isStale = (asOf: number): boolean => clock.now() - asOf > maxAge
  const stop = (): void => {
    cancel?.()
    cancel = undefined
  }
  const follow = (asOf: number): void => {
    stop()
    if (maxAge === Infinity) return
    if (isStale(asOf)) return onStale(clock.now() - asOf)
    cancel = clock.setTimer(() => follow(asOf), Math.min(asOf + maxAge - clock.now() + 1, longestTimer))
  }
  return { isStale, follow, stop }
}

/** The longest time that the timers of all runtimes can wait: 2^31 - 1 ms. */
const longestTimer = 2 ** 31 - 1
