import type { FlagContext } from '@millrace/core'
import { hashKey } from './context-key.ts'
import type { ContextAnswer } from './ofrep-store.ts'
import type { Attempt } from './poller.ts'

/** A context that was asked for. */
export interface ContextEntry {
  readonly context: FlagContext
  readonly key: string
  known: ContextAnswer | undefined
  /** The running request, if any, which others join. */
  asking: Promise<Attempt> | undefined
  /** Whether it was used since the last poll. Only contexts in use are polled. */
  used: boolean
}

/** The contexts in memory, ordered by last use. */
export interface ContextTable {
  /** Returns the entry of a context, marked as used. Creates it if there is none. */
  use(key: string, context: FlagContext): ContextEntry
  /** Returns the entries that were used since the last call. */
  takeUsed(): readonly ContextEntry[]
  /** Returns what to save, by hash: what is in memory, and as much of what was loaded as fits. */
  toSave(saved: ReadonlyMap<string, ContextAnswer>): Promise<ReadonlyMap<string, ContextAnswer>>
}

/** Makes a table of at most `capacity` contexts. It drops the least recently used. */
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
