import { type Clock, systemClock } from './clock.ts'
import { onAbort } from './signals.ts'

/** Wakes one waiter. What rings while nobody waits ends the next wait at once. */
export interface Bell {
  readonly ring: () => void
  /** Resolves when it rings, after `ms` milliseconds, or when `signal` aborts. */
  wait(signal: AbortSignal | undefined, ms?: number): Promise<void>
}

/** @param clock times the waits; default: the system's */
export function createBell(clock: Clock = systemClock): Bell {
  let hasRung = false
  let wake: (() => void) | undefined
  return {
    ring() {
      hasRung = true
      wake?.()
    },
    async wait(signal, ms) {
      let release = (): void => {}
      const rung = new Promise<void>((resolve) => {
        wake = resolve
        release = signal === undefined ? release : onAbort(signal, resolve)
        if (hasRung) resolve()
      })
      const stopTimer = ms === undefined ? undefined : clock.setTimer(() => wake?.(), ms)
      try {
        await rung
      } finally {
        wake = undefined
        hasRung = false
        stopTimer?.()
        release()
      }
    },
  }
}
