import type { AgentEvent } from '../../protocol/events.ts'

/** A reader that runs beside a case. */
export interface Follower<Item> {
  readonly items: readonly Item[]
  /** Resolves once `count` items have been read. Rejects where reading ended or failed before that. */
  reached(count: number): Promise<void>
  /** Resolves when reading has ended, rejects when it failed. */
  readonly ended: Promise<void>
}

export function follow<Item>(source: AsyncIterable<Item>): Follower<Item> {
  const items: Item[] = []
  let wake: () => void = () => undefined
  const state = { isOver: false }
  const ended = (async () => {
    try {
      for await (const item of source) {
        items.push(item)
        wake()
      }
    } finally {
      state.isOver = true
      wake()
    }
  })()
  // Whoever awaits `ended` gets the failure; a case that does not must not bring down the process.
  ended.catch(() => undefined)
  return {
    items,
    ended,
    async reached(count) {
      while (items.length < count && !state.isOver) await new Promise<void>((resolve) => (wake = resolve))
      if (items.length >= count) return
      await ended
      throw new Error(`reading ended after ${items.length} of ${count}`)
    },
  }
}

export async function* flatten(batches: AsyncIterable<readonly AgentEvent[]>): AsyncIterable<AgentEvent> {
  for await (const batch of batches) {
    if (batch.length === 0) throw new Error('read gave an empty batch')
    yield* batch
  }
}
