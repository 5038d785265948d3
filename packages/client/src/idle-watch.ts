import { type Clock, MillraceError } from '@millrace/core'

export interface IdleWatch {
  /** Aborts with `idle_timeout` after silence, or with the given signal's reason. */
  readonly signal: AbortSignal
  /** From now on somebody waits to hear something. It starts so. */
  listen(): void
  /** Something was heard, and nobody waits: a reader that takes its time is no silence. */
  rest(): void
  /** Aborts what is still under way and releases the timer. */
  dispose(): void
}

/** Watches one connection, with one timer however much it brings. */
export function idleWatch(clock: Clock, idleTimeoutMs: number, outer: AbortSignal): IdleWatch {
  const controller = new AbortController()
  const onAbort = (): void => controller.abort(outer.reason)
  if (outer.aborted) onAbort()
  else outer.addEventListener('abort', onAbort, { once: true })
  let since: number | undefined = clock.now()
  const check = (): void => {
    const left = (since ?? clock.now()) + idleTimeoutMs - clock.now()
    if (left > 0) cancel = clock.setTimer(check, left)
    else controller.abort(silence(idleTimeoutMs))
  }
  let cancel = clock.setTimer(check, idleTimeoutMs)
  return {
    signal: controller.signal,
    listen() {
      since = clock.now()
    },
    rest() {
      since = undefined
    },
    dispose() {
      cancel()
      outer.removeEventListener('abort', onAbort)
      controller.abort()
    },
  }
}

function silence(idleTimeoutMs: number): MillraceError {
  return new MillraceError('idle_timeout', `nothing was received for ${idleTimeoutMs} ms`, { retryable: true })
}
