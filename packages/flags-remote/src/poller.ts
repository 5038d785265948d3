import type { Clock } from '@millrace/core'
import { wait } from '@millrace/core/kit'

export interface PollerOptions {
  readonly clock: Clock
  readonly random: () => number
  /** Milliseconds between attempts that succeed. */
  readonly poll: number
  /** Makes one attempt. Must not reject. */
  readonly attempt: (signal: AbortSignal) => Promise<Attempt>
}

/** The result of an attempt. `retryAfterMs`: how long the server asked to wait. */
export type Attempt = { readonly status: 'ok' } | { readonly status: 'failed'; readonly retryAfterMs?: number }

export interface Poller {
  /** Starts polling at once. */
  start(): void
  /** Makes an attempt now, or joins the running one. Makes none while the server asked to wait. */
  refresh(): Promise<void>
  /** No attempt is made before this time, in milliseconds since the epoch. */
  readonly blockedUntil: number
  /** Reports an attempt that was made outside the poll. */
  note(attempt: Attempt): void
  stop(): void
  readonly signal: AbortSignal
}

/** The wait after the first failure, in milliseconds. It doubles with each further failure, up to the poll interval. */
const firstBackoff = 1000

/** Makes a poller with jitter and backoff that makes one attempt at a time. */
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
      // With jitter, so that a thousand instances that started together do not poll together.
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
