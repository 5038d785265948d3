import type { Clock } from '@millrace/core'
import { wait } from '@millrace/core/kit'

export interface PollerOptions {
  readonly clock: Clock
  readonly random: () => number
  /** Milliseconds between attempts that succeed. */
  readonly poll: number
  /** Does the work; must not reject. */
  readonly attempt: (signal: AbortSignal) => Promise<Attempt>
}

/** How an attempt went; `retryAfterMs`: how long the server asked to be left alone. */
export type Attempt = { readonly status: 'ok' } | { readonly status: 'failed'; readonly retryAfterMs?: number }

export interface Poller {
  /** Begins at once. */
  start(): void
  /** Asks now, or joins the attempt that is under way. Does not ask a server that has asked to be left alone. */
  refresh(): Promise<void>
  /** Until when nobody asks, in milliseconds since the epoch. */
  readonly blockedUntil: number
  /** Reports an attempt that was made beside the poll. */
  note(attempt: Attempt): void
  stop(): void
  readonly signal: AbortSignal
}

/** The wait after the first failure; it doubles with each further one, up to the poll itself. */
const firstBackoff = 1000

/** Makes a poller: jittered, backing off after failures, one attempt at a time. */
export function createPoller({ clock, random, poll, attempt }: PollerOptions): Poller {
  const stopping = new AbortController()
  const { signal } = stopping
  let failures = 0
  let blockedUntil = 0
  let running: Promise<void> | undefined

  const note = (result: Attempt): void => {
    failures = result.status === 'ok' ? 0 : failures + 1
    if (result.status === 'ok') blockedUntil = 0
    else blockedUntil = clock.now() + Math.max(result.retryAfterMs ?? 0, backoff())
  }
  const backoff = (): number => Math.min(poll, firstBackoff * 2 ** (failures - 1)) * (0.5 + random() / 2)
  const refresh = (): Promise<void> => {
    const run = async (): Promise<void> => {
      try {
        note(await attempt(signal))
      } finally {
        running = undefined
      }
    }
    if (running === undefined && clock.now() >= blockedUntil && !signal.aborted) running = run()
    return running ?? Promise.resolve()
  }
  const keepPolling = async (): Promise<void> => {
    while (!signal.aborted) {
      await refresh()
      // Spread, so that a thousand instances started at once do not ask at once for ever.
      const rest = failures === 0 ? poll * (0.9 + random() / 5) : Math.max(blockedUntil - clock.now(), 1)
      await wait(clock, rest, signal)
    }
  }
  return {
    start: () => void keepPolling(),
    refresh,
    note,
    signal,
    get blockedUntil() {
      return blockedUntil
    },
    stop: () => stopping.abort(),
  }
}
