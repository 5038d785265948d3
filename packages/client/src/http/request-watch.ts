import type { Clock, MillraceError } from '@millrace/core'
import { linkedController } from '@millrace/core/kit'

/** The time limit of one request. */
export interface RequestWatch {
  /** Aborts with the limit's error, or with the reason of the caller's signal. */
  readonly signal: AbortSignal
  /**
   * Settles as `promise` does, or rejects with the signal's reason as soon as that aborts. Each step of a request waits
   * here, since a hook or a custom `fetch` may ignore the signal. One race at a time.
   *
   * @param who what is waited for, for the error. Default: `the server`
   */
  race<T>(promise: PromiseLike<T>, who?: string): Promise<T>
  /** Starts the limit anew: from now on, somebody waits for the server. A watch starts like this. */
  listen(): void
  /** Pauses the limit: something arrived, and a consumer that takes its time is not silence of the server. */
  rest(): void
  /** Aborts what is still under way and releases the timer. */
  dispose(): void
}

/**
 * Watches one request, with one timer however much arrives.
 *
 * @param tooLate makes the error for a wait of more than `limitMs` milliseconds
 */
export function watchRequest(
  clock: Clock,
  limitMs: number,
  outer: AbortSignal,
  tooLate: (limitMs: number, who: string) => MillraceError,
): RequestWatch {
  const link = linkedController(outer)
  let waitsFor = ''
  let since: number | undefined = clock.now()
  const check = (): void => {
    const left = (since ?? clock.now()) + limitMs - clock.now()
    if (left > 0) cancel = clock.setTimer(check, left)
    else link.abort(tooLate(limitMs, waitsFor))
  }
  let cancel = clock.setTimer(check, limitMs)
  return {
    signal: link.signal,
    race(promise, who = 'the server') {
      waitsFor = who
      return link.race(promise)
    },
    listen() {
      since = clock.now()
    },
    rest() {
      since = undefined
    },
    dispose() {
      cancel()
      link.dispose()
      link.abort(undefined)
    },
  }
}
