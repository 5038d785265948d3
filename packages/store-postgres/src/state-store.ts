import type { StateEntry, StateStore } from '@millrace/core'
import { checkCounters, createBell, toJson } from '@millrace/core/kit'
import { type Context, stateKey } from './context.ts'
import { integer, restored, type Row, stored, text } from './rows.ts'
import { tooLarge } from './store-error.ts'

export function stateStore({ calls, changes, settings, newToken }: Context): StateStore {
  const { schema, limits } = settings
  const { valueBytes } = limits

  async function get(key: string): Promise<StateEntry | undefined> {
    const [row] = await calls.rows(`SELECT value, version FROM ${schema}.state WHERE key = $1`, [stored(key)])
    return row && { value: JSON.parse(text(row, 'value')), version: integer(row, 'version') }
  }

  return {
    get,
    async set(key, value, expectedVersion) {
      const json = toJson(value)
      if (Buffer.byteLength(json) > valueBytes) throw tooLarge('limits.valueBytes', valueBytes)
      const values = [stored(key), expectedVersion, json, newToken()]
      const row = await calls.row(`SELECT * FROM ${schema}.set_state($1, $2, $3, $4)`, values)
      const version = integer(row, 'version')
      if (text(row, 'status') === 'conflict') return { status: 'conflict', version }
      changes.notify(stateKey(key))
      return { status: 'set', version }
    },
    async add(key, numbers, once) {
      checkCounters(numbers)
      const names = Object.keys(numbers).map(stored)
      const values = [stored(key), names, Object.values(numbers), once === undefined ? null : stored(once)]
      // Without a unit, a repetition would count twice what was counted and not answered.
      const isRepeatable = once !== undefined
      return toCounters(
        await calls.rows(`SELECT * FROM ${schema}.add_counters($1, $2, $3, $4)`, values, { isRepeatable }),
      )
    },
    async counters(key) {
      return toCounters(await calls.rows(`SELECT name, total FROM ${schema}.counters WHERE key = $1`, [stored(key)]))
    },
    async clearCounters(key) {
      const cleared = `
        WITH units AS (DELETE FROM ${schema}.counted WHERE key = $1)
        DELETE FROM ${schema}.counters WHERE key = $1`
      await calls.rows(cleared, [stored(key)])
    },
    async *watch(key, signal) {
      const bell = createBell()
      const stop = changes.listen(stateKey(key), bell.ring)
      try {
        let seen = -1
        while (!signal.aborted) {
          const entry = await get(key)
          const version = entry?.version ?? 0
          if (version === seen) {
            await bell.wait(signal)
          } else {
            seen = version
            yield entry
          }
        }
      } finally {
        stop()
      }
    },
  }
}

function toCounters(rows: readonly Row[]): Readonly<Record<string, number>> {
  return Object.fromEntries(rows.map((row) => [restored(text(row, 'name')), integer(row, 'total')]))
}
