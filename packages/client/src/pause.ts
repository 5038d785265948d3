import type { Clock } from '@millrace/core'

/** Waits `ms` milliseconds or until `signal` aborts, whichever is first; leaves no timer. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.setTimer(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}
