import type { StateStore } from '../state-store.ts'
import { expectEqual, expectRejection, expectTrue } from './expectations.ts'
import { follow } from './follow.ts'
import { type CaseDefinition, type ConformanceCase, type ConformanceOptions, conformanceSuite } from './suite.ts'

const stateCases: readonly CaseDefinition<StateStore>[] = [
  {
    name: 'a key that was never set has no entry',
    async check({ store }) {
      expectTrue((await store.get('plan')) === undefined, 'get gave something')
    },
  },
  {
    name: 'a value is set at its version, and comes back as JSON',
    async check({ store, peer }) {
      const value = { percent: 5, tools: ['a\n\u0000\u2028'], nested: { __proto__: null, on: true, none: null } }
      expectEqual(await store.set('plan', value, 0), { status: 'set', version: 1 }, 'set')
      expectEqual(await peer.get('plan'), { value, version: 1 }, 'get')
      expectEqual(await peer.set('plan', null, 1), { status: 'set', version: 2 }, 'set to null')
      expectEqual(await store.get('plan'), { value: null, version: 2 }, 'get of null')
      expectEqual(await store.set('__proto__', 'inert', 0), { status: 'set', version: 1 }, 'set of a prototype key')
      expectEqual(await store.get('__proto__'), { value: 'inert', version: 1 }, 'get of a prototype key')
    },
  },
  {
    name: 'a set at another version is a conflict and changes nothing',
    async check({ store, peer }) {
      expectEqual(await store.set('plan', 'a', 1), { status: 'conflict', version: 0 }, 'set of a key that is not there')
      await store.set('plan', 'a', 0)
      expectEqual(await peer.set('plan', 'b', 0), { status: 'conflict', version: 1 }, 'set at 0')
      expectEqual(await peer.set('plan', 'b', 2), { status: 'conflict', version: 1 }, 'set at a future version')
      expectEqual(await store.get('plan'), { value: 'a', version: 1 }, 'get')
    },
  },
  {
    name: 'of many sets at one version, one succeeds',
    async check({ store, peer }) {
      const sets = Array.from({ length: 8 }, (_, index) => (index % 2 ? store : peer).set('plan', index, 0))
      const winners = (await Promise.all(sets)).flatMap(({ status }, index) => (status === 'set' ? [index] : []))
      expectEqual(winners.length, 1, 'how many set it')
      expectEqual(await store.get('plan'), { value: winners[0], version: 1 }, 'get')
    },
  },
  {
    name: 'what a caller does to a value afterwards changes nothing',
    async check({ store }) {
      const value = { percent: 5 }
      await store.set('plan', value, 0)
      value.percent = 100
      expectEqual(await store.get('plan'), { value: { percent: 5 }, version: 1 }, 'get')
    },
  },
  {
    name: 'what is no JSON, and a number that is not finite, is refused',
    async check({ store }) {
      await expectRejection(store.set('plan', undefined, 0), 'invalid_input', 'undefined')
      await expectRejection(store.set('plan', 1n, 0), 'invalid_input', 'a bigint')
      await expectRejection(store.add('stage', { n: Number.NaN }), 'invalid_input', 'NaN')
      await expectRejection(store.add('stage', { m: 1, n: Number.POSITIVE_INFINITY }), 'invalid_input', 'infinity')
      expectEqual(await store.counters('stage'), {}, 'the counters')
    },
  },
  {
    name: 'counters add up, from every instance at once',
    async check({ store, peer }) {
      expectEqual(await store.counters('stage'), {}, 'counters before anything was added')
      expectEqual(await store.add('stage', { n: 1, bad: 0.5 }), { n: 1, bad: 0.5 }, 'add')
      await Promise.all(Array.from({ length: 50 }, (_, index) => (index % 2 ? store : peer).add('stage', { n: 2 })))
      expectEqual(await peer.add('stage', { bad: -0.25, other: 1 }), { n: 101, bad: 0.25, other: 1 }, 'add')
      expectEqual(await store.counters('stage'), { n: 101, bad: 0.25, other: 1 }, 'counters')
      expectEqual(await store.counters('another'), {}, 'counters of another key')
      expectTrue((await store.get('stage')) === undefined, 'counters showed as a value')
    },
  },
  {
    name: 'a unit is counted once per key, however often and from wherever it is given',
    async check({ store, peer }) {
      const adds = Array.from({ length: 8 }, (_, index) => (index % 2 ? store : peer).add('stage', { n: 1 }, 'ada'))
      await Promise.all(adds)
      expectEqual(await store.counters('stage'), { n: 1 }, 'counters after eight adds of one unit')
      expectEqual(await peer.add('stage', { n: 1 }, 'ada'), { n: 1 }, 'add of a known unit gives the counters')
      expectEqual(await store.add('stage', { n: 1 }, 'bob'), { n: 2 }, 'add of another unit')
      expectEqual(await store.add('next', { n: 1 }, 'ada'), { n: 1 }, 'add of the unit under another key')
    },
  },
  {
    name: 'cleared counters start again, units included',
    async check({ store, peer }) {
      await store.add('stage', { n: 1 }, 'ada')
      await store.add('other', { n: 1 })
      await peer.clearCounters('stage')
      expectEqual(await store.counters('stage'), {}, 'counters')
      expectEqual(await store.add('stage', { n: 1 }, 'ada'), { n: 1 }, 'add of the same unit')
      expectEqual(await store.counters('other'), { n: 1 }, 'counters of another key')
      await store.clearCounters('never-seen')
    },
  },
  {
    name: 'a watcher gets the value now and the last change, from another instance',
    async check({ store, peer, signal }) {
      const watcher = follow(peer.watch('plan', signal))
      await watcher.reached(1)
      expectTrue(watcher.items[0] === undefined, 'the first item of a key that was never set is not undefined')
      await store.set('plan', 'a', 0)
      await watcher.reached(2)
      expectEqual(watcher.items[1], { value: 'a', version: 1 }, 'the second item')
      for (let version = 1; version < 50; version++) await store.set('plan', version, version)
      while (watcher.items.at(-1)?.version !== 50) await watcher.reached(watcher.items.length + 1)
      expectEqual(watcher.items.at(-1), { value: 49, version: 50 }, 'the last item')
    },
  },
  {
    name: 'watching ends when its signal aborts, before and while it waits',
    async check({ store, signal }) {
      const before = follow(store.watch('plan', AbortSignal.abort()))
      await before.ended
      const leaving = new AbortController()
      const watcher = follow(store.watch('plan', AbortSignal.any([leaving.signal, signal])))
      await watcher.reached(1)
      leaving.abort()
      await watcher.ended
    },
  },
]

/**
 * What every {@link StateStore} must do, as tests for any runner.
 *
 * @throws MillraceError `invalid_option` where `gaps` names a case that does not exist
 */
export function stateStoreConformance(options: ConformanceOptions<StateStore>): readonly ConformanceCase[] {
  return conformanceSuite(stateCases, options)
}
