import type { CancelTimer, Clock } from '@millrace/core'

/** The delay before the first attempt, in milliseconds. It doubles with each attempt. */
const firstDelay = 1000
const longestDelay = 30_000

/** Decides when to connect again. */
export interface Backoff {
  /** Calls `attempt` after the next delay, in place of an attempt that is still waiting. */
  readonly schedule: (attempt: () => void) => void
  /** Cancels the attempt that is waiting, and starts again with the first delay. */
  readonly reset: () => void
}

export function createBackoff(clock: Clock): Backoff {
  let cancel: CancelTimer = () => {}
  let delay = firstDelay
  return {
    schedule(attempt) {
      cancel()
      cancel = clock.setTimer(attempt, delay)
      delay = Math.min(delay * 2, longestDelay)
    },
    reset() {
      cancel()
      delay = firstDelay
    },
  }
}
