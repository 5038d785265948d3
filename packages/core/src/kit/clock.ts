import { onAbort } from './signals.ts'

/** Cancels what `setTimer` set. Calling it again, or after the timer fired, does nothing. */
export type CancelTimer = () => void

/** Time, as the loop sees it. Injected so that tests neither sleep nor guess. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls `fire` once, after `ms` milliseconds. */
  setTimer(fire: () => void, ms: number): CancelTimer
}

/** Everything that is not a function of its input. */
export interface Runtime {
  readonly clock: Clock
  /** A number in [0, 1), for the jitter of a backoff. */
  readonly random: () => number
  /** A unique, unguessable id, for runs. */
  readonly newId: () => string
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(fire, ms) {
    const timer = setTimeout(fire, ms)
    return () => clearTimeout(timer)
  },
}

/** The real clock, `Math.random`, and UUIDs of the platform's cryptographic generator. */
export const systemRuntime: Runtime = {
  clock: systemClock,
  random: () => Math.random(),
  newId: () => crypto.randomUUID(),
}

/** `over` resolves after `ms` milliseconds, unless it was cancelled. */
export function timeLimit(
  clock: Clock,
  ms: number,
): { readonly over: Promise<undefined>; readonly cancel: CancelTimer } {
  let cancel: CancelTimer = () => {}
  const over = new Promise<undefined>((resolve) => {
    cancel = clock.setTimer(() => resolve(undefined), ms)
  })
  return { over, cancel }
}

/**
 * Waits `ms` milliseconds, or until `signal` aborts; it then resolves as well, and the caller looks at the signal.
 */
export function wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      stopListening()
      resolve()
    }
    const cancel = clock.setTimer(done, ms)
    const stopListening = onAbort(signal, done)
  })
}
