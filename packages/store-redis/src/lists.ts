import type { ListPosition } from '@millrace/core'
import type { Context } from './context.ts'
import { addToList, dropFromList, oldestOfList, pageOfList } from './lua/lists.ts'

/**
 * Lists of ids by time. An id may stay in a list after what it names has expired: whoever meets one that is gone drops it,
 * and each list is looked through from its old end as it grows.
 */
export interface Lists {
  /** @param isGone whether what an id names has expired */
  add(list: string, id: string, at: number, isGone: (id: string) => Promise<boolean>): Promise<void>
  /** What `find` gives for the ids behind `before`, the latest first, at most `limit`; "gone" drops an id from the list. */
  page<Item>(
    list: string,
    query: { readonly before?: ListPosition; readonly limit: number },
    find: (id: string) => Promise<Item | 'gone' | 'unwanted'>,
  ): Promise<readonly Item[]>
  drop(list: string, ids: readonly string[]): Promise<void>
}

const pageSize = 64

/** With each 16th id, 64 old ones are looked at: more than are added. */
const sweepEvery = 16

/** Far longer than anything that a list names may be unused. */
const keptFor = 4

export function createLists({ commands, settings }: Context): Lists {
  const { recordMs, sessionMs } = settings.retention
  const keptMs = String(Math.max(recordMs, sessionMs) * keptFor)
  let added = 0

  async function drop(list: string, ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await commands.run(dropFromList, [list], ids)
  }

  async function sweep(list: string, isGone: (id: string) => Promise<boolean>): Promise<void> {
    const ids = await commands.run(oldestOfList, [list], [String(pageSize)])
    const gone = await Promise.all(ids.map(isGone))
    await drop(
      list,
      ids.filter((_, index) => gone[index]),
    )
  }

  return {
    drop,
    async add(list, id, at, isGone) {
      await commands.run(addToList, [list], [id, String(at), keptMs])
      // Nobody waits for that; what fails is done with a later id.
      if (++added % sweepEvery === 0) sweep(list, isGone).catch(() => {})
    },
    async page<Item>(
      list: string,
      { before, limit }: { readonly before?: ListPosition; readonly limit: number },
      find: (id: string) => Promise<Item | 'gone' | 'unwanted'>,
    ): Promise<readonly Item[]> {
      const items: Item[] = []
      const gone: string[] = []
      for (let skip = 0; items.length < limit; skip += pageSize) {
        const latest = before === undefined ? '+inf' : String(before.at)
        const pairs = await commands.run(pageOfList, [list], [latest, String(skip), String(pageSize)])
        const entries = pairs.flatMap((id, index) => (index % 2 === 0 ? [{ id, at: Number(pairs[index + 1]) }] : []))
        const behind = entries.filter(({ id, at }) => before === undefined || at < before.at || id < before.id)
        const found = await Promise.all(behind.map(async ({ id }) => ({ id, item: await find(id) })))
        for (const { id, item } of found) {
          if (item === 'gone') gone.push(id)
          else if (item !== 'unwanted') items.push(item)
        }
        if (entries.length < pageSize) break
      }
      await drop(list, gone)
      return items.slice(0, limit)
    },
  }
}
