import { MillraceError } from '../errors.ts'
import { type ChangeSignal, changeSignal } from './change-signal.ts'
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

interface Counters {
  readonly totals: Map<string, number>
  readonly once: Set<string>
}

/**
 * Small shared state in this process's memory: gone with the process, and not seen by another. It keeps no timer. What
 * is beyond a limit is refused: the call rejects with `store_unavailable`.
 */
export function memoryStateStore(options: MemoryStateStoreOptions = {}): StateStore {
  const { keys: maxKeys = 10_000, valueChars = 1_048_576, once: maxOnce = 1_000_000 } = options.limits ?? {}
  const entries = new Map<string, { readonly json: string; readonly version: number }>()
  const counted = new Map<string, Counters>()
  const watched = new Map<string, { readonly changed: ChangeSignal; readers: number }>()
  let onceStored = 0

  function read(key: string): StateEntry | undefined {
    const entry = entries.get(key)
    return entry && { value: JSON.parse(entry.json), version: entry.version }
  }

  function countersOf(key: string): Counters {
    const found = counted.get(key)
    if (found) return found
    if (counted.size >= maxKeys) throw full('limits.keys', maxKeys)
    const created: Counters = { totals: new Map(), once: new Set() }
    counted.set(key, created)
    return created
  }

  return {
    async get(key) {
      return read(key)
    },
    async set(key, value, expectedVersion) {
      const json = toJson(value)
      if (json.length > valueChars) throw full('limits.valueChars', valueChars)
      const version = entries.get(key)?.version ?? 0
      if (version !== expectedVersion) return { status: 'conflict', version }
      if (version === 0 && entries.size >= maxKeys) throw full('limits.keys', maxKeys)
      entries.set(key, { json, version: version + 1 })
      watched.get(key)?.changed.notify()
      return { status: 'set', version: version + 1 }
    },
    async add(key, numbers, once) {
      for (const [name, amount] of Object.entries(numbers)) {
        if (!Number.isFinite(amount)) throw new MillraceError('invalid_input', `counter ${name} is not a finite number`)
      }
      const counters = countersOf(key)
      if (once !== undefined && counters.once.has(once)) return Object.fromEntries(counters.totals)
      if (once !== undefined) {
        if (onceStored >= maxOnce) throw full('limits.once', maxOnce)
        counters.once.add(once)
        onceStored++
      }
      for (const [name, amount] of Object.entries(numbers)) {
        counters.totals.set(name, (counters.totals.get(name) ?? 0) + amount)
      }
      return Object.fromEntries(counters.totals)
    },
    async counters(key) {
      return Object.fromEntries(counted.get(key)?.totals ?? [])
    },
    async clearCounters(key) {
      onceStored -= counted.get(key)?.once.size ?? 0
      counted.delete(key)
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

function toJson(value: unknown): string {
  let json: string | undefined
  try {
    json = JSON.stringify(value)
  } catch (cause) {
    throw new MillraceError('invalid_input', 'the value cannot be written as JSON', { cause })
  }
  if (json === undefined) throw new MillraceError('invalid_input', 'the value cannot be written as JSON; use null for none')
  return json
}

function full(option: string, limit: number): MillraceError {
  return new MillraceError('store_unavailable', `the memory store is full: ${option} is ${limit}`, { path: option })
}
