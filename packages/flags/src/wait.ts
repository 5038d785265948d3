import type { Clock } from '@millrace/core'

/** Waits `ms` milliseconds or until `signal` aborts; resolves in both cases, and leaves no timer or listener behind. */
export function wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
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
