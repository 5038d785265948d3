import type { Clock } from '@millrace/core'

export type Beat<Value> = { readonly quiet: true } | { readonly quiet: false; readonly value: Value }

export interface HeartbeatOptions {
  readonly clock: Clock
  /** Milliseconds without a value before a quiet beat. */
  readonly everyMs: number
  readonly signal: AbortSignal | undefined
}

/**
 * The values of `source`, and a quiet beat whenever none came for a while. One timer serves however many values pass.
 * It ends with the source, or at once when `signal` aborts.
 */
export async function* withHeartbeat<Value>(
  source: AsyncIterable<Value>,
  { clock, everyMs, signal }: HeartbeatOptions,
): AsyncIterable<Beat<Value>> {
  const iterator = source[Symbol.asyncIterator]()
  let wake: () => void = () => undefined
  let isDue = false
  let quietSince = clock.now()
  const check = (): void => {
    const rest = quietSince + everyMs - clock.now()
    isDue = rest <= 0
    cancel = clock.setTimer(check, isDue ? everyMs : rest)
    if (isDue) wake()
  }
  let cancel = clock.setTimer(check, everyMs)
  const onAbort = (): void => wake()
  signal?.addEventListener('abort', onAbort, { once: true })
  let next: Promise<IteratorResult<Value>> | undefined
  let isDone = false
  try {
    for (;;) {
      if (signal?.aborted === true) return
      next ??= iterator.next()
      const woken = new Promise<undefined>((resolve) => (wake = () => resolve(undefined)))
      const result = await Promise.race([next, woken])
      quietSince = clock.now()
      if (result) isDue = false
      if (result?.done === true) {
        isDone = true
        return
      }
      if (result) {
        next = undefined
        yield { quiet: false, value: result.value }
      } else if (isDue) {
        isDue = false
        yield { quiet: true }
      }
    }
  } finally {
    cancel()
    signal?.removeEventListener('abort', onAbort)
    // Not awaited: a source that is stuck in `next` would hold the reader that leaves.
    if (!isDone) void iterator.return?.()?.catch(() => undefined)
    next?.catch(() => undefined)
  }
}
