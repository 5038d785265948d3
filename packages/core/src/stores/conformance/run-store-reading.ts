import type { RunStore } from '../run-store.ts'
import { expectEqual, expectRejection } from './expectations.ts'
import { flatten, follow } from './follow.ts'
import { deltas, finished, recordOf, runId } from './run-events.ts'
import type { CaseDefinition } from './suite.ts'

const leaseMs = 10_000

/** What a reader is given, and when its reading ends. */
export const readCases: readonly CaseDefinition<RunStore>[] = [
  {
    name: 'a reader gets what is stored and then what comes, from another instance',
    async check({ store, peer, signal }) {
      await store.create(recordOf(), leaseMs)
      await store.append(runId, 1, deltas(1, 3))
      const reader = follow(flatten(peer.read(runId, 0, signal)))
      await reader.reached(3)
      for (const seq of [4, 5, 6]) {
        await store.append(runId, 1, deltas(seq, seq))
        await reader.reached(seq)
      }
      await store.append(runId, 1, [finished(7)], { outcome: 'completed' })
      await reader.ended
      expectEqual(reader.items, [...deltas(1, 6), finished(7)], 'what was read')
    },
  },
  {
    name: 'a reader may be there before the first event',
    async check({ store, peer, signal }) {
      await store.create(recordOf(), leaseMs)
      const reader = follow(flatten(peer.read(runId, 0, signal)))
      await store.append(runId, 1, deltas(1, 2), { outcome: 'completed' })
      await reader.ended
      expectEqual(reader.items, deltas(1, 2), 'what was read')
    },
  },
  {
    name: 'reading goes on from any cursor, without loss or repetition',
    async check({ store, peer, signal }) {
      await store.create(recordOf(), leaseMs)
      await store.append(runId, 1, deltas(1, 9), { outcome: 'completed' })
      for (let after = 0; after <= 9; after++) {
        const reader = follow(flatten(peer.read(runId, after, signal)))
        await reader.ended
        expectEqual(reader.items, deltas(after + 1, 9), `what was read after ${after}`)
      }
    },
  },
  {
    name: 'many readers at different places all get everything',
    async check({ store, peer, signal }) {
      await store.create(recordOf(), leaseMs)
      await store.append(runId, 1, deltas(1, 4))
      const readers = [0, 1, 2, 3, 4].map((after) => ({ after, ...follow(flatten(peer.read(runId, after, signal))) }))
      await store.append(runId, 1, deltas(5, 600))
      await store.append(runId, 1, [], { outcome: 'completed' })
      for (const { after, items, ended } of readers) {
        await ended
        expectEqual(items, deltas(after + 1, 600), `what was read after ${after}`)
      }
    },
  },
  {
    name: 'reading never ends on an event, only when the run is closed',
    async check({ store, peer, signal }) {
      await store.create(recordOf(), leaseMs)
      const reader = follow(flatten(peer.read(runId, 0, signal)))
      await store.append(runId, 1, [finished(1)])
      await reader.reached(1)
      await store.append(runId, 1, deltas(2, 2))
      await reader.reached(2)
      await store.append(runId, 1, [], { outcome: 'completed' })
      await reader.ended
    },
  },
  {
    name: 'a reader sees the events of a takeover',
    async check({ store, peer, clock, signal }) {
      await store.create(recordOf(), leaseMs)
      const reader = follow(flatten(store.read(runId, 0, signal)))
      await store.append(runId, 1, deltas(1, 2, 'first'))
      clock.advance(leaseMs)
      await peer.acquire(runId, leaseMs)
      await peer.append(runId, 2, deltas(3, 4, 'second'), { outcome: 'completed' })
      await reader.ended
      expectEqual(reader.items, [...deltas(1, 2, 'first'), ...deltas(3, 4, 'second')], 'what was read')
    },
  },
  {
    name: 'reading ends when its signal aborts, before, while it waits, and between batches',
    async check({ store, peer, signal }) {
      await store.create(recordOf(), leaseMs)
      await store.append(runId, 1, deltas(1, 1))
      const before = follow(peer.read(runId, 0, AbortSignal.abort()))
      await before.ended
      expectEqual(before.items.length, 0, 'batches read with an aborted signal')
      const leaving = new AbortController()
      const reader = follow(flatten(peer.read(runId, 0, AbortSignal.any([leaving.signal, signal]))))
      await reader.reached(1)
      leaving.abort()
      await reader.ended
      expectEqual(await store.append(runId, 1, deltas(2, 2)), { status: 'appended', tail: 2 }, 'append afterwards')
    },
  },
  {
    name: 'a cursor beyond the tail and an unknown run are missed events',
    async check({ store, signal }) {
      await store.create(recordOf(), leaseMs)
      await store.append(runId, 1, deltas(1, 2))
      await expectRejection(follow(store.read(runId, 3, signal)).ended, 'events_missed', 'a cursor beyond the tail')
      await store.append(runId, 1, [], { outcome: 'completed' })
      await expectRejection(follow(store.read(runId, 3, signal)).ended, 'events_missed', 'the same on a closed run')
      await expectRejection(follow(store.read('none', 0, signal)).ended, 'events_missed', 'an unknown run')
    },
  },
  {
    name: 'a slow reader holds up neither the writer nor another reader',
    async check({ store, peer, signal }) {
      await store.create(recordOf(), leaseMs)
      const slow = flatten(peer.read(runId, 0, signal))[Symbol.asyncIterator]()
      await store.append(runId, 1, deltas(1, 1))
      expectEqual((await slow.next()).value, deltas(1, 1)[0], 'the first event of the slow reader')
      await store.append(runId, 1, deltas(2, 700), { outcome: 'completed' })
      const quick = follow(flatten(store.read(runId, 0, signal)))
      await quick.ended
      expectEqual(quick.items.length, 700, 'how many events the quick reader got')
      const rest = follow({ [Symbol.asyncIterator]: () => slow })
      await rest.ended
      expectEqual(rest.items, deltas(2, 700), 'what the slow reader got in the end')
    },
  },
]
