import type { RunStore, RunSummary } from '../run-store.ts'
import { expectEqual, expectRejection, expectTrue } from './expectations.ts'
import { deltas, recordOf, runId } from './run-events.ts'
import type { CaseDefinition } from './suite.ts'

const leaseMs = 10_000

/** What an operator sees and removes. */
export const listCases: readonly CaseDefinition<RunStore>[] = [
  {
    name: 'a store says whether it is durable',
    async check({ store }) {
      expectEqual(typeof store.durable, 'boolean', 'the type of durable')
    },
  },
  {
    name: 'list gives the newest runs first, of one owner or all, open or closed, page by page',
    async check({ store, peer }) {
      for (const [index, owner] of ['ada', 'ada', 'eve', 'ada'].entries()) {
        await store.create({ ...recordOf(`run-${index}`), owner, createdAt: 1_000 + Math.min(index, 2) }, leaseMs)
      }
      await store.append('run-1', 1, [], { outcome: 'limit' })
      await store.cancel('run-3', 'user')
      const summary = (index: number, owner: string): RunSummary => {
        const createdAt = 1_000 + Math.min(index, 2)
        return { runId: `run-${index}`, sessionId: 'session-1', owner, createdAt, closed: false }
      }
      const all = [
        { ...summary(3, 'ada'), cancelled: 'user' },
        summary(2, 'eve'),
        { ...summary(1, 'ada'), closed: true, outcome: 'limit' },
        summary(0, 'ada'),
      ]
      expectEqual(await peer.list({ limit: 10 }), all, 'all runs')
      expectEqual(await peer.list({ limit: 2 }), all.slice(0, 2), 'the first page')
      const before = { at: 1_002, id: 'run-2' }
      expectEqual(await peer.list({ limit: 2, before }), all.slice(2), 'the second page')
      expectEqual(await peer.list({ limit: 10, owner: 'eve' }), all.slice(1, 2), 'the runs of an owner')
      expectEqual(await peer.list({ limit: 10, closed: true }), all.slice(2, 3), 'the closed runs')
      expectEqual(
        await peer.list({ limit: 1, closed: false, owner: 'ada' }),
        all.slice(0, 1),
        'an open run of an owner',
      )
      expectEqual(await peer.list({ limit: 10, owner: 'nobody' }), [], 'the runs of somebody who has none')
    },
  },
  {
    name: 'a deleted run is gone, and its owner can write nothing more',
    async check({ store, peer, signal, clock }) {
      await store.create(recordOf(), leaseMs)
      await store.append(runId, 1, deltas(1, 2))
      await peer.delete(runId)
      await peer.delete(runId)
      expectTrue((await store.snapshot(runId)) === undefined, 'snapshot gave something for a deleted run')
      expectEqual(await store.append(runId, 1, deltas(3, 3)), { status: 'not_found' }, 'append')
      expectEqual(await store.renew(runId, 1, leaseMs), { status: 'not_found' }, 'renew')
      expectEqual(await store.list({ limit: 10 }), [], 'list')
      clock.advance(leaseMs)
      expectEqual(await store.abandoned(10), [], 'abandoned')
      const next = async (): Promise<unknown> => store.read(runId, 1, signal)[Symbol.asyncIterator]().next()
      await expectRejection(next(), 'events_missed', 'read')
      expectEqual((await store.create(recordOf(), leaseMs)).status, 'acquired', 'create under the same id')
    },
  },
]
