import type { RunStore } from '../run-store.ts'
import { expectEqual, expectTrue } from './expectations.ts'
import { deltas, recordOf, runId } from './run-events.ts'
import type { CaseDefinition } from './suite.ts'

const leaseMs = 10_000

/** Who may drive a run, and from when to when. */
export const leaseCases: readonly CaseDefinition<RunStore>[] = [
  {
    name: 'create grants the first lease and stores the record as it was given',
    async check({ store, peer }) {
      expectEqual(await store.create(recordOf(), leaseMs), { status: 'acquired', fence: 1, tail: 0 }, 'create')
      expectEqual(
        await peer.snapshot(runId),
        { record: recordOf(), tail: 0, closed: false, first: 1 },
        'the snapshot of a run without events',
      )
    },
  },
  {
    name: 'create refuses a run id that exists, open or closed, and changes nothing',
    async check({ store, peer, clock }) {
      await store.create(recordOf(), leaseMs)
      clock.advance(leaseMs)
      expectEqual(
        await peer.create({ ...recordOf(), owner: 'eve' }, leaseMs),
        { status: 'exists' },
        'create while open',
      )
      await store.append(runId, 1, deltas(1, 1), { outcome: 'completed' })
      expectEqual(
        await peer.create({ ...recordOf(), owner: 'eve' }, leaseMs),
        { status: 'exists' },
        'create when closed',
      )
      expectEqual((await store.snapshot(runId))?.record, recordOf(), 'the record')
    },
  },
  {
    name: 'of many who create one run at once, one does',
    async check({ store, peer }) {
      const attempts = Array.from({ length: 8 }, (_, index) => (index % 2 ? store : peer).create(recordOf(), leaseMs))
      const granted = (await Promise.all(attempts)).filter(({ status }) => status === 'acquired')
      expectEqual(granted.length, 1, 'how many were granted the lease')
    },
  },
  {
    name: 'a lease is held until it expires, and then granted with a larger fence',
    async check({ store, peer, clock }) {
      await store.create(recordOf(), leaseMs)
      const expiresAt = clock.now() + leaseMs
      clock.advance(leaseMs - 1)
      expectEqual(await peer.acquire(runId, leaseMs), { status: 'held', expiresAt }, 'acquire before expiry')
      clock.advance(1)
      expectEqual(await peer.acquire(runId, leaseMs), { status: 'acquired', fence: 2, tail: 0 }, 'acquire after expiry')
    },
  },
  {
    name: 'of many who acquire an expired lease at once, one gets it',
    async check({ store, peer, clock }) {
      await store.create(recordOf(), leaseMs)
      clock.advance(leaseMs)
      const attempts = Array.from({ length: 8 }, (_, index) => (index % 2 ? store : peer).acquire(runId, leaseMs))
      const results = await Promise.all(attempts)
      expectEqual(results.filter(({ status }) => status === 'acquired').length, 1, 'how many were granted the lease')
      expectEqual(results.filter(({ status }) => status === 'held').length, 7, 'how many were told that it is held')
    },
  },
  {
    name: 'a renewed lease lasts from its renewal',
    async check({ store, peer, clock }) {
      await store.create(recordOf(), leaseMs)
      clock.advance(leaseMs - 1)
      expectEqual(await store.renew(runId, 1, leaseMs), { status: 'renewed' }, 'renew')
      clock.advance(leaseMs - 1)
      expectEqual((await peer.acquire(runId, leaseMs)).status, 'held', 'acquire after the first lease would have ended')
      clock.advance(1)
      expectEqual((await peer.acquire(runId, leaseMs)).status, 'acquired', 'acquire after the renewed lease')
    },
  },
  {
    name: 'an expired lease can be renewed as long as nobody has taken over',
    async check({ store, peer, clock }) {
      await store.create(recordOf(), leaseMs)
      clock.advance(leaseMs + 1)
      expectEqual(await store.renew(runId, 1, leaseMs), { status: 'renewed' }, 'renew')
      expectEqual((await peer.acquire(runId, leaseMs)).status, 'held', 'acquire')
    },
  },
  {
    name: 'a lease is given back by a renewal of 0 ms',
    async check({ store, peer }) {
      await store.create(recordOf(), leaseMs)
      await store.renew(runId, 1, 0)
      expectEqual(await peer.acquire(runId, leaseMs), { status: 'acquired', fence: 2, tail: 0 }, 'acquire')
    },
  },
  {
    name: 'a zombie owner can neither renew, nor append, nor close',
    async check({ store, peer, clock }) {
      await store.create(recordOf(), leaseMs)
      await store.append(runId, 1, deltas(1, 2, 'zombie'))
      clock.advance(leaseMs)
      expectEqual(await peer.acquire(runId, leaseMs), { status: 'acquired', fence: 2, tail: 2 }, 'takeover')
      expectEqual(await store.renew(runId, 1, leaseMs), { status: 'fenced' }, 'renewal by the zombie')
      expectEqual(await store.append(runId, 1, deltas(3, 4, 'zombie')), { status: 'fenced' }, 'append by the zombie')
      expectEqual(await store.append(runId, 1, [], { outcome: 'failed' }), { status: 'fenced' }, 'close by the zombie')
      expectEqual(
        await peer.append(runId, 2, deltas(3, 3, 'owner')),
        { status: 'appended', tail: 3 },
        'append by the owner',
      )
      expectEqual((await store.snapshot(runId))?.closed, false, 'whether the run is closed')
    },
  },
  {
    name: 'a fence that was never granted is worthless',
    async check({ store }) {
      await store.create(recordOf(), leaseMs)
      expectEqual(await store.append(runId, 2, deltas(1, 1)), { status: 'fenced' }, 'append with a future fence')
      expectEqual(await store.renew(runId, 0, leaseMs), { status: 'fenced' }, 'renewal with fence 0')
    },
  },
  {
    name: 'fences grow with every takeover',
    async check({ store, peer, clock }) {
      await store.create(recordOf(), leaseMs)
      for (const fence of [2, 3, 4]) {
        clock.advance(leaseMs)
        const result = await (fence % 2 ? store : peer).acquire(runId, leaseMs)
        expectEqual(result, { status: 'acquired', fence, tail: 0 }, `takeover ${fence}`)
      }
    },
  },
  {
    name: 'abandoned lists open runs whose lease has expired, and no others',
    async check({ store, peer, clock }) {
      await store.create(recordOf('late'), leaseMs * 2)
      await store.create(recordOf('early'), leaseMs)
      await store.create(recordOf('closed'), leaseMs)
      await store.create(recordOf('held'), leaseMs * 4)
      await store.append('closed', 1, [], { outcome: 'completed' })
      expectEqual(await peer.abandoned(10), [], 'abandoned before any lease has expired')
      clock.advance(leaseMs * 2)
      expectEqual(await peer.abandoned(10), ['early', 'late'], 'abandoned, the oldest lease first')
      expectEqual(await peer.abandoned(1), ['early'], 'abandoned with a limit')
      await peer.acquire('early', leaseMs)
      expectEqual(await store.abandoned(10), ['late'], 'abandoned after a takeover')
    },
  },
  {
    name: 'an unknown run is not found, by every method',
    async check({ store }) {
      expectEqual(await store.acquire('none', leaseMs), { status: 'not_found' }, 'acquire')
      expectEqual(await store.renew('none', 1, leaseMs), { status: 'not_found' }, 'renew')
      expectEqual(await store.append('none', 1, []), { status: 'not_found' }, 'append')
      expectTrue((await store.snapshot('none')) === undefined, 'snapshot gave something for an unknown run')
      expectEqual(await store.cancel('none', 'user'), false, 'cancel')
    },
  },
]
