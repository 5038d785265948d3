import { type ChangeSignal, changeSignal } from '../kit/change-signal.ts'
import { checkCounters, toJson } from '../kit/stored-values.ts'
import { storeFull } from './store-full.ts'
import type { StateEntry, StateStore } from './state-store.ts'

export interface MemoryStateStoreOptions {
  readonly limits?: {
    /** Keys with a value, and keys with counters. Default: 10,000 each. */
    readonly keys?: number
    /** Characters of one value's JSON. Default: 1,048,576. */
    readonly valueChars?: number
    /** Strings given as `once`, over all keys. Default: 1,000,000. */
    readonly once?: number
  }
}

interface CounterTable {
  add(key: string, numbers: Readonly<Record<string, number>>, once: string | undefined): void
  read(key: string): Readonly<Record<string, number>>
  clear(key: string): void
}

/**
 * Small shared state in this process's memory: gone with the process, and not seen by another. Nothing expires, and it
 * keeps no timer. What is beyond a limit is refused: the call rejects with `store_unavailable`.
 */
export function memoryStateStore(options: MemoryStateStoreOptions = {}): StateStore {
  const { keys: maxKeys = 10_000, valueChars = 1_048_576, once: maxOnce = 1_000_000 } = options.limits ?? {}
  const entries = new Map<string, { readonly json: string; readonly version: number }>()
  const counters = counterTable(maxKeys, maxOnce)
  const watched = new Map<string, { readonly changed: ChangeSignal; readers: number }>()

  function read(key: string): StateEntry | undefined {
    const entry = entries.get(key)
    return entry && { value: JSON.parse(entry.json), version: entry.version }
  }

  return {
    async get(key) {
      return read(key)
    },
    async set(key, value, expectedVersion) {
      const json = toJson(value)
      if (json.length > valueChars) throw storeFull('limits.valueChars', valueChars)
      const version = entries.get(key)?.version ?? 0
      if (version !== expectedVersion) return { status: 'conflict', version }
      if (version === 0 && entries.size >= maxKeys) throw storeFull('limits.keys', maxKeys)
      entries.set(key, { json, version: version + 1 })
      watched.get(key)?.changed.notify()
      return { status: 'set', version: version + 1 }
    },
    async add(key, numbers, once) {
      counters.add(key, numbers, once)
      return counters.read(key)
    },
    async counters(key) {
      return counters.read(key)
    },
    async clearCounters(key) {
      counters.clear(key)
    },
    async *watch(key, signal) {
      const watch = watched.get(key) ?? { changed: changeSignal(), readers: 0 }
      watched.set(key, watch)
      watch.readers++
      try {
        let seen = -1
        while (!signal.aborted) {
          const version = entries.get(key)?.version ?? 0
          if (version === seen) {
            await watch.changed.wait(signal)
          } else {
            seen = version
            yield read(key)
          }
        }
      } finally {
        watch.readers--
        if (watch.readers === 0) watched.delete(key)
      }
    },
  }
}

function counterTable(maxKeys: number, maxOnce: number): CounterTable {
  const table = new Map<string, { readonly totals: Map<string, number>; readonly once: Set<string> }>()
  let onceStored = 0
  return {
    add(key, numbers, once) {
      checkCounters(numbers)
      const stored = table.get(key) ?? { totals: new Map(), once: new Set() }
      if (once !== undefined && stored.once.has(once)) return
      if (!table.has(key) && table.size >= maxKeys) throw storeFull('limits.keys', maxKeys)
      if (once !== undefined && onceStored >= maxOnce) throw storeFull('limits.once', maxOnce)
      table.set(key, stored)
      for (const [name, amount] of Object.entries(numbers)) {
        stored.totals.set(name, (stored.totals.get(name) ?? 0) + amount)
      }
      if (once === undefined) return
      stored.once.add(once)
      onceStored++
    },
    read: (key) => Object.fromEntries(table.get(key)?.totals ?? []),
    clear(key) {
      onceStored -= table.get(key)?.once.size ?? 0
      table.delete(key)
    },
  }
}
