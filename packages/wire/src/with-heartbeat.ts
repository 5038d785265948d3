import type { Clock } from '@millrace/core'

export type Beat<Value> = { readonly quiet: true } | { readonly quiet: false; readonly value: Value }

export interface HeartbeatOptions {
  readonly clock: Clock
  /** Milliseconds without a value before a quiet beat. */
  readonly everyMs: number
  readonly signal: AbortSignal | undefined
}

/** The reader that waits for the next beat. */
interface Reader<Value> {
  readonly resolve: (result: IteratorResult<Beat<Value>>) => void
  readonly reject: (reason: unknown) => void
}

/**
 * Returns the values of `source`, and a heartbeat after a quiet period. One timer serves any number of values.
 * It ends with the source, or at once when `signal` aborts. One reader may wait at a time.
 *
 * Written by hand, since every event of every response passes here: a generator that races the source against the timer
 * took three more promises per batch.
 */
export function withHeartbeat<Value>(
  source: AsyncIterable<Value>,
  { clock, everyMs, signal }: HeartbeatOptions,
): AsyncIterableIterator<Beat<Value>, undefined> {
  const iterator = source[Symbol.asyncIterator]()
  let reader: Reader<Value> | undefined
  let isOver = false
  /** What the source was asked for last. */
  let asked: Promise<IteratorResult<Value>> | undefined
  /** Whether `asked` has settled while no reader waited, after a quiet beat. */
  let isUnheard = false
  let quietSince = clock.now()
  let cancel = clock.setTimer(check, everyMs)
  signal?.addEventListener('abort', leave, { once: true })

  function check(): void {
    const rest = quietSince + everyMs - clock.now()
    cancel = clock.setTimer(check, rest <= 0 ? everyMs : rest)
    if (rest <= 0) take()?.resolve({ done: false, value: { quiet: true } })
  }

  function take(): Reader<Value> | undefined {
    const taken = reader
    reader = undefined
    return taken
  }

  function stop(): void {
    isOver = true
    cancel()
    signal?.removeEventListener('abort', leave)
  }

  function leave(): void {
    if (isOver) return
    stop()
    // Not awaited: a source that is stuck in `next` would hold the reader that leaves.
    void iterator.return?.()?.catch(() => undefined)
    take()?.resolve({ done: true, value: undefined })
  }

  /** Gives what the source was asked for to the reader that waits, or keeps it for the next one. */
  function settle(give: (waiting: Reader<Value>) => void): void {
    if (isOver) return
    const waiting = take()
    isUnheard = waiting === undefined
    if (waiting === undefined) return
    asked = undefined
    quietSince = clock.now()
    give(waiting)
  }

  const onResult = (result: IteratorResult<Value>): void =>
    settle(({ resolve }) => {
      if (result.done !== true) return resolve({ done: false, value: { quiet: false, value: result.value } })
      stop()
      resolve({ done: true, value: undefined })
    })

  const onFailure = (cause: unknown): void =>
    settle(({ reject }) => {
      stop()
      reject(cause)
    })

  function next(): Promise<IteratorResult<Beat<Value>, undefined>> {
    if (signal?.aborted === true) leave()
    if (isOver) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve, reject) => {
      reader = { resolve, reject }
      if (asked !== undefined && !isUnheard) return
      isUnheard = false
      asked ??= iterator.next()
      asked.then(onResult, onFailure)
    })
  }

  return {
    next,
    return() {
      leave()
      return Promise.resolve({ done: true, value: undefined })
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
