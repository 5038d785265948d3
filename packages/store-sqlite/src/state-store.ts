import type { StateEntry, StateStore } from '@millrace/core'
import { checkCounters, toJson } from '@millrace/core/kit'
import type { Context } from './context.ts'
import { integer, text } from './database.ts'
import { tooLarge } from './store-error.ts'

export function stateStore({ db, transactions, changes, settings }: Context): StateStore {
  const { valueBytes } = settings.limits
  const stateKey = (key: string): string => `state ${key}`

  function get(key: string): StateEntry | undefined {
    const row = db.get('SELECT value, version FROM state WHERE key = ?', key)
    return row && { value: JSON.parse(text(row, 'value')), version: integer(row, 'version') }
  }

  function counters(key: string): Readonly<Record<string, number>> {
    const rows = db.rows('SELECT name, total FROM counters WHERE key = ?', key)
    return Object.fromEntries(Array.from(rows, (row) => [text(row, 'name'), integer(row, 'total')]))
  }

  /** Whether `once` is new for `key`; it no longer is afterwards. */
  function isFirst(key: string, once: string): boolean {
    if (db.get('SELECT 1 FROM counted WHERE key = ? AND once = ?', key, once)) return false
    db.run('INSERT INTO counted (key, once) VALUES (?, ?)', key, once)
    return true
  }

  return {
    get: (key) => transactions.read(() => get(key)),
    async set(key, value, expectedVersion) {
      const json = toJson(value)
      if (Buffer.byteLength(json) > valueBytes) throw tooLarge('limits.valueBytes', valueBytes)
      return transactions.write(stateKey(key), () => {
        const row = db.get('SELECT version FROM state WHERE key = ?', key)
        const version = row ? integer(row, 'version') : 0
        if (version !== expectedVersion) return { status: 'conflict', version }
        const upsert = `
          INSERT INTO state (key, version, value) VALUES (?, ?, ?)
          ON CONFLICT DO UPDATE SET version = excluded.version, value = excluded.value`
        db.run(upsert, key, version + 1, json)
        return { status: 'set', version: version + 1 }
      })
    },
    async add(key, numbers, once) {
      checkCounters(numbers)
      return transactions.write(stateKey(key), () => {
        if (once === undefined || isFirst(key, once)) {
          const upsert = `
            INSERT INTO counters (key, name, total) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET total = total + excluded.total`
          for (const [name, amount] of Object.entries(numbers)) db.run(upsert, key, name, amount)
        }
        return counters(key)
      })
    },
    counters: (key) => transactions.read(() => counters(key)),
    clearCounters(key) {
      return transactions.write(stateKey(key), () => {
        db.run('DELETE FROM counters WHERE key = ?', key)
        db.run('DELETE FROM counted WHERE key = ?', key)
      })
    },
    async *watch(key, signal) {
      let seen = -1
      while (!signal.aborted) {
        const entry = await transactions.read(() => get(key))
        const version = entry?.version ?? 0
        if (version === seen) {
          await changes.wait(stateKey(key), signal)
        } else {
          seen = version
          yield entry
        }
      }
    },
  }
}
