import { abortable } from './abortable.ts'
import type { ProgressSink } from './nested.ts'

export interface FromIterableOptions<T> {
  readonly progress: ProgressSink
  /** Ends the iteration with the signal's reason. */
  readonly signal?: AbortSignal
  /** How many items there are. Default: the length of an array, the size of a set or map, else unknown. */
  readonly total?: number
  /** What to say when `item` is done; `count` is how many are. */
  readonly message?: (item: T, count: number) => string
}

function sizeOf(items: object): number | undefined {
  if (Array.isArray(items)) return items.length
  return items instanceof Set || items instanceof Map ? items.size : undefined
}

/**
 * The items as they come, while `progress` hears how many are done: an item counts when the next one is asked for.
 *
 * @throws the signal's reason, and whatever `items` throws
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
