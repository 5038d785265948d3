import type { StateEntry, StateStore } from '@millrace/core'
import { checkCounters, createBell, toJson } from '@millrace/core/kit'
import { unavailable } from './commands.ts'
import type { Context } from './context.ts'
import { addCounters, clearCounters, getValue, readCounters, setValue } from './lua/state.ts'

export function stateStore({ commands, keys, notifications, settings }: Context): StateStore {
  const { clock, newId, pollMs } = settings
  const { valueBytes } = settings.limits

  async function get(key: string): Promise<StateEntry | undefined> {
    const [version, json] = await commands.run(getValue, [keys.value(key)], [])
    return json === undefined ? undefined : { value: JSON.parse(json), version: Number(version) }
  }

  return {
    get,
    async set(key, value, expectedVersion) {
      const json = toJson(value)
      if (Buffer.byteLength(json) > valueBytes)
        throw unavailable(`the value is larger than limits.valueBytes, ${valueBytes}`, undefined, 'limits.valueBytes')
      const args = [newId(), String(expectedVersion), json, keys.value(key)]
      const [status, version] = await commands.run(setValue, [keys.value(key)], args)
      return { status: status === 'set' ? 'set' : 'conflict', version: Number(version) }
    },
    async add(key, numbers, once) {
      checkCounters(numbers)
      const amounts = Object.entries(numbers).flatMap(([name, amount]) => [name, String(amount)])
      const args = [newId(), once === undefined ? 'any' : 'once', once ?? '', ...amounts]
      return toCounters(await commands.run(addCounters, keys.counters(key), args))
    },
    async counters(key) {
      const [counters] = keys.counters(key)
      return toCounters(await commands.run(readCounters, [counters], []))
    },
    async clearCounters(key) {
      const [counters, units] = keys.counters(key)
      await commands.run(clearCounters, [counters, units], [])
    },
    async *watch(key, signal) {
      const bell = createBell(clock)
      const stop = notifications.listen(keys.value(key), () => bell.ring())
      try {
        let seen = -1
        while (!signal.aborted) {
          const entry = await get(key)
          const version = entry?.version ?? 0
          if (version === seen) {
            await bell.wait(signal, pollMs)
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

function toCounters(pairs: readonly string[]): Readonly<Record<string, number>> {
  const names = pairs.filter((_, index) => index % 2 === 0)
  return Object.fromEntries(names.map((name, index) => [name, Number(pairs[index * 2 + 1])]))
}
