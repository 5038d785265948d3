import { abortable } from './abortable.ts'
import type { ProgressSink } from './nested.ts'

export interface FromIterableOptions<T> {
  readonly progress: ProgressSink
  /** Ends the iteration with the signal's reason. */
  readonly signal?: AbortSignal
  /** How many items there are. Default: the length of an array, the size of a set or map, else unknown. */
  readonly total?: number
  /** Makes the message for `item` when it is done; `count` is the number of items that are. */
  readonly message?: (item: T, count: number) => string
}

function sizeOf(items: object): number | undefined {
  if (Array.isArray(items)) return items.length
  return items instanceof Set || items instanceof Map ? items.size : undefined
}

/**
 * Yields the items as they come, and reports how many are done. An item counts as done when the next one is requested.
 *
 * @throws the signal's reason, and what `items` throws
 */
export async function* fromIterable<T>(
  items: AsyncIterable<T> | Iterable<T>,
  { progress, signal, total = sizeOf(items), message }: FromIterableOptions<T>,
): AsyncGenerator<T, void, void> {
  const of = total === undefined ? {} : { total }
  let count = 0
  progress({ progress: 0, ...of })
  for await (const item of abortable(items, signal)) {
    yield item
    count += 1
    progress({ progress: count, ...of, ...(message === undefined ? {} : { message: message(item, count) }) })
  }
}
