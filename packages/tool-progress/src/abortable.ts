/** Anything that gives items one after the other. */
export type ItemSource<T> = ReadableStream<T> | AsyncIterable<T> | Iterable<T>

interface Puller<T> {
  next(): Promise<IteratorResult<T, unknown>>
  stop(reason: unknown): void
}

function ignore(): void {}

function pull<T>(source: ItemSource<T>): Puller<T> {
  if ('getReader' in source) {
    // Not every browser can iterate a stream.
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
    // A generator that hangs answers `return` only after it has moved on, so nobody waits for it.
    return { next: () => iterator.next(), stop: () => void iterator.return?.().then(ignore, ignore) }
  }
  const iterator = source[Symbol.iterator]()
  return { next: async () => iterator.next(), stop: () => void iterator.return?.() }
}

/**
 * The items of `source`, until `signal` aborts: it then throws the signal's reason at once, also while the source hangs.
 * The source is told to stop when it is left early, for whatever reason.
 */
export async function* abortable<T>(
  source: ItemSource<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, void> {
  signal?.throwIfAborted()
  const puller = pull(source)
  let fail: (reason: unknown) => void = ignore
  const onAbort = (): void => fail(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  let ended = false
  try {
    for (;;) {
      // A promise of its own for each item: a race against one long-lived promise would keep them all.
      const result = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
        fail = reject
        puller.next().then(resolve, reject)
      })
      fail = ignore
      ended = result.done === true
      if (result.done) return
      yield result.value
      signal?.throwIfAborted()
    }
  } finally {
    signal?.removeEventListener('abort', onAbort)
    if (!ended) puller.stop(signal?.reason)
  }
}
