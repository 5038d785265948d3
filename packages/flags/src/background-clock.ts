import { type Clock, systemClock } from '@millrace/core'

/** The system clock, with timers that do not keep a process alive: a program must be able to end while it polls flags. */
export const backgroundClock: Clock = {
  now: () => systemClock.now(),
  setTimer(fire, ms) {
    const timer = setTimeout(fire, ms)
    release(timer)
    return () => clearTimeout(timer)
  },
}

/** Timers of Node and Bun have `unref`. In browsers and workers, a timer is a number. */
function release(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function')
    timer.unref()
}
