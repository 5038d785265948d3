import { onAbort } from './signals.ts'

/** Wakes everything that waits for a change, once. */
export interface ChangeSignal {
  notify(): void
  /** Resolves with the next `notify`, or when `signal` aborts. Leaves no listener behind. */
  wait(signal: AbortSignal | undefined): Promise<void>
}

/** Makes a signal that any number of waiters share; nothing is kept for who comes later. */
export function changeSignal(): ChangeSignal {
  const waiters = new Set<() => void>()
  return {
    notify() {
      for (const wake of waiters) wake()
    },
    wait(signal) {
      if (signal?.aborted === true) return Promise.resolve()
      return new Promise((resolve) => {
        let stopListening = (): void => {}
        const wake = (): void => {
          waiters.delete(wake)
          stopListening()
          resolve()
        }
        waiters.add(wake)
        if (signal !== undefined) stopListening = onAbort(signal, wake)
      })
    },
  }
}
