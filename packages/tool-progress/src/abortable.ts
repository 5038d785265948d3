import { linkedController } from '@millrace/core/kit'

/** A source of items, one after the other. */
export type ItemSource<T> = ReadableStream<T> | AsyncIterable<T> | Iterable<T>

interface Puller<T> {
  next(): Promise<IteratorResult<T, unknown>>
  stop(reason: unknown): void
}

function ignore(): void {}

function pull<T>(source: ItemSource<T>): Puller<T> {
  if ('getReader' in source) {
    // Some browsers cannot iterate a stream.
    const reader = source.getReader()
    return {
      async next() {
        const read = await reader.read()
        return read.done ? { done: true, value: undefined } : { done: false, value: read.value }
      },
      stop: (reason) => void reader.cancel(reason).catch(ignore),
    }
  }
  if (Symbol.asyncIterator in source) {
    const iterator = source[Symbol.asyncIterator]()
    // A generator that hangs answers `return` only after it has moved on, so this does not wait for it.
    return { next: () => iterator.next(), stop: () => void iterator.return?.().then(ignore, ignore) }
  }
  const iterator = source[Symbol.iterator]()
  return { next: async () => iterator.next(), stop: () => void iterator.return?.() }
}

/**
 * Yields the items of `source` until `signal` aborts. It then throws the signal's reason at once, even if the source
 * hangs. The source is told to stop if it is left early, for whatever reason.
 */
export async function* abortable<T>(
  source: ItemSource<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, void> {
  const link = linkedController(signal ?? new AbortController().signal)
  let puller: Puller<T> | undefined
  let ended = false
  try {
    link.signal.throwIfAborted()
    puller = pull(source)
    for (;;) {
      const result = await link.race(puller.next())
      ended = result.done === true
      if (result.done) return
      yield result.value
      link.signal.throwIfAborted()
    }
  } finally {
    link.dispose()
    if (!ended) puller?.stop(signal?.reason)
  }
}
