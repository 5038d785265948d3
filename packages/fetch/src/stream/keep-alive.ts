import type { Clock } from '@millrace/core'

/** Pings for a client that waits, so that nothing between it and us takes the connection for dead. */
export interface KeepAlive {
  /** Something was sent. */
  sent(): void
  stop(): void
}

/** Calls `ping` whenever nothing was sent for `interval` ms. One timer, however much is sent. */
export function createKeepAlive(clock: Clock, interval: number, ping: () => void): KeepAlive {
  let last = clock.now()
  let cancel = clock.setTimer(check, interval)

  function check(): void {
    const left = last + interval - clock.now()
    if (left <= 0) {
      ping()
      last = clock.now()
    }
    cancel = clock.setTimer(check, left <= 0 ? interval : left)
  }

  return {
    sent() {
      last = clock.now()
    },
    stop: () => cancel(),
  }
}
