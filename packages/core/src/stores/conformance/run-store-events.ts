import type { RunStore } from '../run-store.ts'
import { expectEqual, expectRejection, expectTrue } from './expectations.ts'
import { flatten, follow } from './follow.ts'
import { deltas, finished, recordOf, runId } from './run-events.ts'
import type { CaseDefinition } from './suite.ts'

const leaseMs = 10_000

/** What is appended, and how a run ends. */
export const appendCases: readonly CaseDefinition<RunStore>[] = [
  {
    name: 'events come back equal to what was appended',
    async check({ store, peer, signal }) {
      await store.create(recordOf(), leaseMs)
      const text = 'a\nb\r\n\u0000\u2028\u2029\u{1f600}"\\'
      const events = [...deltas(1, 2).map((event) => ({ ...event, text })), finished(3)]
      await store.append(runId, 1, events, { outcome: 'completed' })
      const reader = follow(flatten(peer.read(runId, 0, signal)))
      await reader.ended
      expectEqual(reader.items, events, 'what was read')
    },
  },
  {
    name: 'events that are stored already are skipped',
    async check({ store, peer, signal }) {
      await store.create(recordOf(), leaseMs)
      await store.append(runId, 1, deltas(1, 3, 'first'))
      expectEqual(await store.append(runId, 1, deltas(1, 3, 'again')), { status: 'appended', tail: 3 }, 'a duplicate')
      expectEqual(await store.append(runId, 1, deltas(2, 5, 'again')), { status: 'appended', tail: 5 }, 'an overlap')
      await store.append(runId, 1, [], { outcome: 'completed' })
      const reader = follow(flatten(peer.read(runId, 0, signal)))
      await reader.ended
      expectEqual(reader.items, [...deltas(1, 3, 'first'), ...deltas(4, 5, 'again')], 'what was read')
    },
  },
  {
    name: 'a hole is refused and nothing of it is stored',
    async check({ store }) {
      await store.create(recordOf(), leaseMs)
      await store.append(runId, 1, deltas(1, 2))
      expectEqual(await store.append(runId, 1, deltas(4, 5)), { status: 'gap', tail: 2 }, 'append after a hole')
      expectEqual(
        await store.append(runId, 1, deltas(4, 5), { outcome: 'completed' }),
        { status: 'gap', tail: 2 },
        'close after a hole',
      )
      expectEqual(
        await store.append(runId, 1, deltas(3, 3)),
        { status: 'appended', tail: 3 },
        'append of what was missing',
      )
    },
  },
  {
    name: 'concurrent appends of the same events store them once',
    async check({ store, peer, signal }) {
      await store.create(recordOf(), leaseMs)
      const attempts = Array.from({ length: 8 }, (_, index) =>
        (index % 2 ? store : peer).append(runId, 1, deltas(1, 20)),
      )
      const results = await Promise.all(attempts)
      expectTrue(
        results.every((result) => result.status === 'appended' && result.tail === 20),
        'an append of the newest fence was not accepted',
      )
      await store.append(runId, 1, [], { outcome: 'completed' })
      const reader = follow(flatten(peer.read(runId, 0, signal)))
      await reader.ended
      expectEqual(
        reader.items.map(({ seq }) => seq),
        deltas(1, 20).map(({ seq }) => seq),
        'the seqs that were read',
      )
    },
  },
  {
    name: 'events and close are one step',
    async check({ store, peer }) {
      await store.create(recordOf(), leaseMs)
      await store.append(runId, 1, deltas(1, 1))
      expectEqual(
        await store.append(runId, 1, [finished(2)], { outcome: 'completed' }),
        { status: 'appended', tail: 2 },
        'append with close',
      )
      expectEqual(
        await peer.snapshot(runId),
        { record: recordOf(), tail: 2, closed: true, outcome: 'completed', first: 1 },
        'the snapshot',
      )
    },
  },
  {
    name: 'a closed run accepts nothing more, from anybody',
    async check({ store, peer, clock }) {
      await store.create(recordOf(), leaseMs)
      await store.append(runId, 1, deltas(1, 1), { outcome: 'completed' })
      expectEqual(await store.append(runId, 1, deltas(2, 2)), { status: 'closed' }, 'append')
      expectEqual(await store.append(runId, 1, [], { outcome: 'failed' }), { status: 'closed' }, 'a second close')
      expectEqual(await store.renew(runId, 1, leaseMs), { status: 'closed' }, 'renew')
      clock.advance(leaseMs)
      expectEqual(await peer.acquire(runId, leaseMs), { status: 'closed' }, 'acquire')
      expectEqual(await peer.cancel(runId, 'user'), false, 'cancel')
      const snapshot = await peer.snapshot(runId)
      expectEqual([snapshot?.outcome, snapshot?.tail, snapshot?.cancelled], ['completed', 1, undefined], 'the snapshot')
    },
  },
  {
    name: 'of many who close at once, the first wins',
    async check({ store, peer }) {
      await store.create(recordOf(), leaseMs)
      const results = await Promise.all([
        store.append(runId, 1, [finished(1)], { outcome: 'completed' }),
        peer.append(runId, 1, [finished(1)], { outcome: 'failed' }),
        store.append(runId, 1, [finished(1)], { outcome: 'interrupted' }),
      ])
      const winners = results.flatMap(({ status }, index) => (status === 'appended' ? [index] : []))
      expectEqual(winners.length, 1, 'how many closed the run')
      const outcomes = ['completed', 'failed', 'interrupted']
      expectEqual((await store.snapshot(runId))?.outcome, outcomes[winners[0] ?? -1], 'the outcome')
    },
  },
  {
    name: 'a cancel is kept, and the owner sees it with its next append, renewal and takeover',
    async check({ store, peer, clock }) {
      await store.create(recordOf(), leaseMs)
      expectEqual(await peer.cancel(runId, 'user'), true, 'cancel')
      expectEqual((await store.snapshot(runId))?.cancelled, 'user', 'the snapshot')
      expectEqual(
        await store.append(runId, 1, deltas(1, 1)),
        { status: 'appended', tail: 1, cancelled: 'user' },
        'append',
      )
      expectEqual(await store.renew(runId, 1, leaseMs), { status: 'renewed', cancelled: 'user' }, 'renew')
      clock.advance(leaseMs)
      expectEqual(
        await peer.acquire(runId, leaseMs),
        { status: 'acquired', fence: 2, tail: 1, cancelled: 'user' },
        'takeover',
      )
    },
  },
  {
    name: 'an owner that waits for a cancel is told, from another instance and before anything is appended',
    applies: ({ store }) => store.cancelled !== undefined,
    async check({ store, peer, signal }) {
      await store.create(recordOf(), leaseMs)
      const told = store.cancelled?.(runId, signal)
      await peer.cancel(runId, 'user')
      expectEqual(await told, 'user', 'the reason')
      expectEqual(await store.cancelled?.(runId, signal), 'user', 'the reason, asked for afterwards')
    },
  },
  {
    name: 'waiting for a cancel ends with the run, with its signal, and where there is no run',
    applies: ({ store }) => store.cancelled !== undefined,
    async check({ store, peer, signal }) {
      expectEqual((await store.cancelled?.('none', signal)) ?? 'nothing', 'nothing', 'an unknown run')
      await store.create(recordOf(), leaseMs)
      const leaving = new AbortController()
      const left = store.cancelled?.(runId, AbortSignal.any([leaving.signal, signal]))
      leaving.abort()
      expectEqual((await left) ?? 'nothing', 'nothing', 'a wait that was given up')
      const ended = store.cancelled?.(runId, signal)
      await peer.append(runId, 1, [finished(1)], { outcome: 'completed' })
      expectEqual((await ended) ?? 'nothing', 'nothing', 'a run that ended')
    },
  },
  {
    name: 'the first cancel counts',
    async check({ store, peer }) {
      await store.create(recordOf(), leaseMs)
      await peer.cancel(runId, 'user')
      expectEqual(await store.cancel(runId, 'operator'), true, 'a second cancel')
      expectEqual((await store.snapshot(runId))?.cancelled, 'user', 'the reason')
    },
  },
  {
    name: 'events that have expired are missed, never skipped',
    applies: ({ expireEvents }) => expireEvents !== undefined,
    async check({ store, fixture, signal }) {
      await store.create(recordOf(), leaseMs)
      await store.append(runId, 1, deltas(1, 3), { outcome: 'completed' })
      await fixture.expireEvents?.(runId)
      await expectRejection(follow(store.read(runId, 1, signal)).ended, 'events_missed', 'read of expired events')
      const snapshot = await store.snapshot(runId)
      expectEqual([snapshot?.first, snapshot?.tail, snapshot?.outcome], [4, 3, 'completed'], 'the snapshot')
      await follow(store.read(runId, 3, signal)).ended
    },
  },
]
