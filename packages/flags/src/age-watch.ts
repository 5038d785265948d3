import type { CancelTimer, Clock } from '@millrace/core'

/** Watches for knowledge that was not confirmed for too long. */
export interface AgeWatch {
  isStale(asOf: number): boolean
  /** Watches what was confirmed at `asOf`, instead of what it watched before. */
  follow(asOf: number): void
  stop(): void
}

/** Calls `onStale` when what is watched becomes older than `maxAge` milliseconds (`Infinity`: never). */
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

/** The longest delay that timers support in every runtime, in milliseconds. */
const longestTimer = 2 ** 31 - 1
