import { type Clock, systemClock } from '@millrace/core'

/** The real clock, whose timers do not keep a process alive: flags are a bystander of the program's end, too. */
export const backgroundClock: Clock = {
  now: () => systemClock.now(),
  setTimer(fire, ms) {
    const timer = setTimeout(fire, ms)
    release(timer)
    return () => clearTimeout(timer)
  },
}

/** Node and Bun have `unref` on their timers, browsers and workers give a number. */
function release(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function')
    timer.unref()
}
