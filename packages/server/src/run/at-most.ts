import type { Clock } from '@millrace/core'
import { timeLimit } from '@millrace/core/kit'

/** Waits for `done`, whatever comes of it, at most `ms` milliseconds. */
export async function atMost(clock: Clock, ms: number, done: Promise<unknown>): Promise<void> {
  const limit = timeLimit(clock, ms)
  try {
    await Promise.race([done, limit.over])
  } catch {
    // How it ended is for those who act on it.
  } finally {
    limit.cancel()
  }
}
