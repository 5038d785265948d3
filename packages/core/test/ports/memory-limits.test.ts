import { describe, expect, it } from 'vitest'
import { manualClock } from '../../src/stores/conformance/index.ts'
import { deltas, recordOf } from '../../src/stores/conformance/run-events.ts'
import { memoryRunStore } from '../../src/stores/memory-run-store.ts'
import { memorySessionStore } from '../../src/stores/memory-session-store.ts'
import { memoryStateStore } from '../../src/stores/memory-state-store.ts'
import type { RunStore } from '../../src/stores/run-store.ts'

const leaseMs = 1000
const completed = { outcome: 'completed' } as const

async function closedRun(store: RunStore, id: string, count = 1): Promise<void> {
  await store.create(recordOf(id), leaseMs)
  await store.append(id, 1, deltas(1, count), completed)
}

describe('memoryRunStore', () => {
  it('forgets the run that was closed first where there are too many', async () => {
    const store = memoryRunStore({ limits: { runs: 3 } })
    for (const id of ['a', 'b', 'c', 'd', 'e']) await closedRun(store, id)
    const snapshots = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((id) => store.snapshot(id)))
    expect(snapshots.map((snapshot) => snapshot?.record.runId)).toEqual([undefined, undefined, 'c', 'd', 'e'])
  })

  it('refuses a run where all are open', async () => {
    const store = memoryRunStore({ limits: { runs: 2 } })
    for (const id of ['a', 'b']) await store.create(recordOf(id), leaseMs)
    await expect(store.create(recordOf('c'), leaseMs)).rejects.toMatchObject({
      code: 'store_unavailable',
      path: 'limits.runs',
    })
  })

  it('makes room where those that are open have been abandoned for too long', async () => {
    const clock = manualClock()
    const store = memoryRunStore({ clock, limits: { runs: 2 }, retention: { recordMs: 5_000 } })
    await store.create(recordOf('a'), leaseMs)
    clock.advance(1)
    await store.create(recordOf('b'), leaseMs)
    clock.advance(leaseMs + 5_000 - 2)
    await expect(store.create(recordOf('c'), leaseMs)).rejects.toMatchObject({ path: 'limits.runs' })
    clock.advance(1)
    expect(await store.create(recordOf('c'), leaseMs)).toMatchObject({ status: 'acquired' })
    expect(await store.abandoned(9)).toEqual(['b'])
  })

  it('refuses what is too large for one run, and keeps what it has', async () => {
    const store = memoryRunStore({ limits: { runChars: 2000 } })
    await store.create(recordOf('a'), leaseMs)
    await store.append('a', 1, deltas(1, 5))
    await expect(store.append('a', 1, deltas(6, 50))).rejects.toMatchObject({ path: 'limits.runChars' })
    expect(await store.snapshot('a')).toMatchObject({ tail: 5 })
    await expect(store.create({ ...recordOf('b'), owner: 'x'.repeat(2000) }, leaseMs)).rejects.toMatchObject({
      path: 'limits.runChars',
    })
  })

  it('forgets events before runs, the oldest first, and never those of an open run', async () => {
    const store = memoryRunStore({ limits: { chars: 8000 } })
    await store.create(recordOf('open'), leaseMs)
    await store.append('open', 1, deltas(1, 10))
    await closedRun(store, 'a', 20)
    await closedRun(store, 'b', 20)
    await closedRun(store, 'c', 20)
    const firsts = await Promise.all(['open', 'a', 'b', 'c'].map(async (id) => (await store.snapshot(id))?.first))
    expect(firsts).toEqual([1, 21, 1, 1])
    await expect(store.append('open', 1, deltas(11, 70))).rejects.toMatchObject({ path: 'limits.chars' })
  })

  it('gives back the room of what it forgot', async () => {
    const store = memoryRunStore({ limits: { chars: 8000 } })
    for (let index = 0; index < 500; index++) await closedRun(store, `run-${index}`, 20)
    expect(await store.snapshot('run-499')).toMatchObject({ first: 1, tail: 20 })
  })

  it('forgets by the clock: first the events, then the run; an abandoned run too', async () => {
    const clock = manualClock()
    const store = memoryRunStore({ clock, retention: { eventsMs: 5000, recordMs: 20_000 } })
    await closedRun(store, 'closed')
    await store.create(recordOf('abandoned'), leaseMs)
    clock.advance(4999)
    expect(await store.snapshot('closed')).toMatchObject({ first: 1 })
    clock.advance(1)
    expect(await store.snapshot('closed')).toMatchObject({ first: 2 })
    clock.advance(14_999)
    expect(await store.snapshot('closed')).toBeDefined()
    clock.advance(1)
    expect(await store.snapshot('closed')).toBeUndefined()
    expect(await store.abandoned(9)).toEqual(['abandoned'])
    clock.advance(leaseMs)
    expect(await store.abandoned(9)).toEqual([])
    expect(await store.acquire('abandoned', leaseMs)).toEqual({ status: 'not_found' })
    expect(clock.timers).toBe(0)
  })

  it('tells a reader that waits when its run is forgotten', async () => {
    const clock = manualClock()
    const store = memoryRunStore({ clock, retention: { recordMs: 5000 } })
    await store.create(recordOf('a'), leaseMs)
    const next = store.read('a', 0)[Symbol.asyncIterator]().next()
    clock.advance(leaseMs + 5000)
    await store.snapshot('a')
    await expect(next).rejects.toMatchObject({ code: 'events_missed' })
  })
})

describe('memorySessionStore', () => {
  it('forgets the session that was unused longest, and never a claimed one', async () => {
    const clock = manualClock()
    const store = memorySessionStore({ clock, limits: { sessions: 3 } })
    await store.claim('claimed', 'run-1', leaseMs)
    for (const id of ['a', 'b', 'c']) {
      await store.claim(id, 'run-2', leaseMs)
      await store.commit(id, 'run-2', 0, [])
      await store.release(id, 'run-2')
    }
    const versions = await Promise.all(['a', 'b', 'c'].map(async (id) => (await store.load(id)).version))
    expect(versions).toEqual([0, 1, 1])
    expect((await store.load('claimed')).activeRunId).toBe('run-1')
  })

  it('refuses a claim where all sessions are claimed, and a conversation that is too large', async () => {
    const store = memorySessionStore({ limits: { sessions: 1, chars: 100 } })
    await store.claim('a', 'run-1', leaseMs)
    await expect(store.claim('b', 'run-2', leaseMs)).rejects.toMatchObject({ path: 'limits.sessions' })
    const large = [{ role: 'user', content: 'x'.repeat(100) }] as const
    await expect(store.commit('a', 'run-1', 0, large)).rejects.toMatchObject({ path: 'limits.chars' })
    expect(await store.load('a')).toMatchObject({ version: 0, activeRunId: 'run-1' })
  })

  it('makes room by characters', async () => {
    const store = memorySessionStore({ limits: { chars: 100 } })
    for (const id of ['a', 'b', 'c']) {
      await store.claim(id, 'run', 0)
      await store.commit(id, 'run', 0, [{ role: 'user', content: 'x'.repeat(20) }])
    }
    const versions = await Promise.all(['a', 'b', 'c'].map(async (id) => (await store.load(id)).version))
    expect(versions).toEqual([0, 1, 1])
  })

  it('forgets by the clock', async () => {
    const clock = manualClock()
    const store = memorySessionStore({ clock, retentionMs: 5000 })
    await store.claim('a', 'run', leaseMs)
    await store.commit('a', 'run', 0, [])
    clock.advance(4999)
    expect(await store.load('a')).toMatchObject({ version: 1 })
    clock.advance(1)
    expect(await store.load('a')).toMatchObject({ version: 0 })
    expect(clock.timers).toBe(0)
  })
})

describe('memoryStateStore', () => {
  it.each([
    ['limits.keys', { keys: 1 }],
    ['limits.once', { once: 1 }],
    ['limits.valueChars', { valueChars: 3 }],
  ])('refuses what is beyond %s', async (path, limits) => {
    const store = memoryStateStore({ limits })
    const work = async (): Promise<void> => {
      await store.set('a', 'x', 0)
      await store.set('b', 'xx', 0)
      await store.add('a', { n: 1 }, 'ada')
      await store.add('a', { n: 1 }, 'bob')
    }
    await expect(work()).rejects.toMatchObject({ code: 'store_unavailable', path })
  })

  it('counts room again once counters are cleared', async () => {
    const store = memoryStateStore({ limits: { keys: 1, once: 1 } })
    for (const key of ['a', 'b', 'c']) {
      expect(await store.add(key, { n: 1 }, 'ada')).toEqual({ n: 1 })
      await store.clearCounters(key)
    }
  })
})
