import type { FlagContext } from '@millrace/core'
import { hashKey } from './context-key.ts'
import type { ContextAnswer } from './ofrep-store.ts'
import type { Attempt } from './poller.ts'

/** One context that was asked for. */
export interface ContextEntry {
  readonly context: FlagContext
  readonly key: string
  known: ContextAnswer | undefined
  /** The question under way, if any: others join it. */
  asking: Promise<Attempt> | undefined
  /** Whether it was asked for since the last poll. Only such contexts are polled. */
  used: boolean
}

/** The contexts in memory, the one used least recently first. */
export interface ContextTable {
  /** The entry of a context, made where there is none; marked as used. */
  use(key: string, context: FlagContext): ContextEntry
  /** Those used since this was called last. */
  takeUsed(): readonly ContextEntry[]
  /** What to save, by hash: what is in memory, and of what was loaded as much as there is room for. */
  toSave(saved: ReadonlyMap<string, ContextAnswer>): Promise<ReadonlyMap<string, ContextAnswer>>
}

/** Makes a table of at most `capacity` contexts; beyond, the one used least recently gives way. */
export function createContextTable(capacity: number): ContextTable {
  const entries = new Map<string, ContextEntry>()
  return {
    use(key, context) {
      const entry = entries.get(key) ?? { context, key, known: undefined, asking: undefined, used: true }
      entries.delete(key)
      entries.set(key, entry)
      entry.used = true
      const [oldest] = entries.keys()
      if (entries.size > capacity && oldest !== undefined) entries.delete(oldest)
      return entry
    },
    takeUsed() {
      const used = [...entries.values()].filter((entry) => entry.used)
      for (const entry of used) entry.used = false
      return used
    },
    async toSave(saved) {
      const answers = new Map<string, ContextAnswer>()
      for (const { key, known } of [...entries.values()].toReversed()) {
        if (known !== undefined) answers.set(await hashKey(key), known)
      }
      for (const [hash, answer] of saved) {
        if (answers.size >= capacity) break
        if (!answers.has(hash)) answers.set(hash, answer)
      }
      return answers
    },
  }
}
