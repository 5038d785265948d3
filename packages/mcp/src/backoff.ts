import type { CancelTimer, Clock } from '@millrace/core'

/** Waits between attempts: doubled each time, up to the last. Milliseconds. */
const firstDelay = 1000
const longestDelay = 30_000

/** When to try again. */
export interface Backoff {
  /** Calls `attempt` after the next wait, instead of what was still waiting. */
  readonly schedule: (attempt: () => void) => void
  /** Forgets what is waiting; the next wait is the first again. */
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
