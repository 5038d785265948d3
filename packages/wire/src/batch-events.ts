/** Turns of the microtask queue that an item may take to still count as arriving together with the one before. */
const patience = 4

/**
 * What arrives together, as one batch: items that the source has without waiting for a timer, a socket or a tool. Nothing
 * is held back for it, and no more than one item is ever asked for ahead of the reader.
 *
 * @param limit items in a batch; default: 256
 */
export async function* batchEvents<Item>(source: AsyncIterable<Item>, limit = 256): AsyncIterable<readonly Item[]> {
  const iterator = source[Symbol.asyncIterator]()
  let pulled: Pull<Item> | undefined
  try {
    for (;;) {
      pulled ??= pull(iterator)
      const batch: Item[] = []
      do {
        const end: IteratorResult<Item> = await pulled.result
        if (end.done === true) break
        batch.push(end.value)
        pulled = pull(iterator)
      } while (batch.length < limit && (await settlesAtOnce(pulled)) && !pulled.hasFailed)
      if (batch.length > 0) yield batch
      if (pulled.isDone) return
    }
  } finally {
    // Not awaited: a source that is stuck in `next` would hold the reader that leaves.
    if (!pulled?.isDone && !pulled?.hasFailed) void iterator.return?.()?.catch(() => undefined)
  }
}

interface Pull<Item> {
  readonly result: Promise<IteratorResult<Item>>
  isSettled: boolean
  isDone: boolean
  hasFailed: boolean
}

function pull<Item>(iterator: AsyncIterator<Item>): Pull<Item> {
  const pulled: Pull<Item> = { result: iterator.next(), isSettled: false, isDone: false, hasFailed: false }
  void watch(pulled)
  return pulled
}

async function watch(pulled: Pull<unknown>): Promise<void> {
  try {
    pulled.isDone = (await pulled.result).done === true
  } catch {
    pulled.hasFailed = true
  }
  pulled.isSettled = true
}

async function settlesAtOnce(pulled: Pull<unknown>): Promise<boolean> {
  for (let turn = 0; turn < patience && !pulled.isSettled; turn++) await Promise.resolve()
  return pulled.isSettled
}
