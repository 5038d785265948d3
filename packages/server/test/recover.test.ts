import { createAgent, type RunStore, type SessionStore, systemClock } from '@millrace/core'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { text } from '@millrace/testing'
import { deferred, manualClock } from '@millrace/testing/async'
import { expect, test } from 'vitest'
import { readEvents, serve, type ServeOptions } from './support/served.ts'

const question = { role: 'user' as const, content: 'Where is order 7?' }

/** Stores whose time can be moved on, and runs in them that nobody drives. */
function stores() {
  let skipped = 0
  const clock = { ...systemClock, now: () => systemClock.now() + skipped }
  const runs = memoryRunStore({ clock })
  const sessions = memorySessionStore({ clock })
  return {
    runs,
    sessions,
    skip: (ms: number) => void (skipped += ms),
    /** A run whose process died after its first breath. Its lease of 30 s and its claim of 60 s are still there. */
    async abandon(runId: string, { sessionId, owner }: { sessionId?: string; owner?: string } = {}) {
      if (sessionId !== undefined) await sessions.claim(sessionId, runId, 60_000)
      const ids = { ...(sessionId !== undefined && { sessionId }), ...(owner !== undefined && { owner }) }
      await runs.create({ runId, messages: [question], createdAt: clock.now(), ...ids }, 30_000)
    },
  }
}

function serveStores({ runs, sessions }: { runs: RunStore; sessions: SessionStore }, options: ServeOptions = {}) {
  return serve({ ...options, runs, handler: { sessions, ...options.handler } })
}

const rolesIn = async (sessions: SessionStore, id: string): Promise<string[]> =>
  (await sessions.load(id)).messages.map(({ role }) => role)

test.each([31_000, 90_000])(
  'an abandoned run is carried on after %i ms, followed, and kept in its session',
  async (late) => {
    const store = stores()
    await store.abandon('r1', { sessionId: 'chat', owner: 'alice' })
    const { handler, get, errors } = await serveStores(store, { handler: { identify: () => 'alice' } })
    expect(await handler.recover()).toEqual({ resumed: [] })
    store.skip(late)
    expect(await handler.recover()).toEqual({ resumed: ['r1'] })
    expect(handler.openRuns).toBe(1)
    const events = await readEvents(await get('/runs/r1/events'))
    expect(events[0]).toMatchObject({ type: 'run.started', sessionId: 'chat' })
    expect(events.at(-1)).toMatchObject({ outcome: 'completed' })
    expect(await rolesIn(store.sessions, 'chat')).toEqual(['user', 'assistant', 'user', 'assistant'])
    expect(await store.sessions.load('chat')).not.toHaveProperty('activeRunId')
    expect(handler.openRuns).toBe(0)
    expect(errors).toEqual([])
  },
)

test('of several instances, and of calls at once, one takes a run over', async () => {
  const store = stores()
  const ids = ['r1', 'r2', 'r3']
  for (const id of ids) await store.abandon(id, { sessionId: `of-${id}` })
  store.skip(31_000)
  const served = [await serveStores(store), await serveStores(store)]
  const reports = await Promise.all(served.flatMap(({ handler }) => [handler.recover(), handler.recover()]))
  expect(reports[0]).toBe(reports[1])
  expect([reports[0], reports[2]].flatMap((report) => report?.resumed ?? []).toSorted()).toEqual(ids)
  await Promise.all(served.map(({ handler }) => handler.drain(10_000)))
  for (const id of ids) expect(await rolesIn(store.sessions, `of-${id}`)).toHaveLength(4)
  expect(served.flatMap(({ errors }) => errors)).toEqual([])
})

test.each(['under way', 'over'])(
  'a conversation that has gone on is not overwritten: another run is %s',
  async (state) => {
    const store = stores()
    const { runs, sessions } = store
    await store.abandon('r1', { sessionId: 'chat' })
    store.skip(90_000)
    const claimed = await sessions.claim('chat', 'r2', 60_000)
    const version = claimed.status === 'claimed' ? claimed.session.version : -1
    await sessions.commit('chat', 'r2', version, [question])
    if (state === 'over') await sessions.release('chat', 'r2')
    const { handler, get, errors } = await serveStores(store)
    expect(await handler.recover()).toEqual({ resumed: ['r1'] })
    expect((await readEvents(await get('/runs/r1/events'))).at(-1)).toMatchObject({ outcome: 'completed' })
    expect((await sessions.load('chat')).messages).toEqual([question])
    expect((await sessions.load('chat')).activeRunId).toBe(state === 'over' ? undefined : 'r2')
    expect(errors).toMatchObject([{ message: expect.stringContaining('was changed') }])
    expect(await runs.abandoned(10)).toEqual([])
  },
)

test('a conversation that goes on in the moment of the takeover is not overwritten', async () => {
  const store = stores()
  await store.abandon('r1', { sessionId: 'chat' })
  store.skip(90_000)
  const sessions: SessionStore = {
    ...store.sessions,
    async claim(sessionId, runId, ttlMs) {
      // Between proof and claim: another run, from its beginning to its end.
      const other = await store.sessions.claim(sessionId, 'r2', 1_000)
      if (other.status === 'claimed') await store.sessions.commit(sessionId, 'r2', other.session.version, [question])
      await store.sessions.release(sessionId, 'r2')
      return store.sessions.claim(sessionId, runId, ttlMs)
    },
  }
  const { handler, errors } = await serveStores({ runs: store.runs, sessions })
  await handler.recover()
  await handler.drain(10_000)
  expect(await rolesIn(store.sessions, 'chat')).toEqual(['user'])
  expect(await store.sessions.load('chat')).not.toHaveProperty('activeRunId')
  expect(errors).toHaveLength(1)
})

test('places are kept: what is too much here is left to others and to later', async () => {
  const store = stores()
  for (const id of ['a1', 'a2', 'b1']) await store.abandon(id, { owner: id.slice(0, 1) })
  store.skip(31_000)
  const { handler } = await serveStores(store, { handler: { limits: { runs: 2, runsPerUser: 1 } } })
  expect(await handler.recover()).toEqual({ resumed: ['a1', 'b1'] })
  expect(await store.runs.abandoned(10)).toEqual(['a2'])
})

test('a run that is under way here is not taken from itself', async () => {
  const store = stores()
  const hold = deferred()
  let live = ''
  const runs: RunStore = { ...store.runs, abandoned: () => Promise.resolve([live]) }
  const script = async () => {
    await hold.promise
    return { content: [text('done')] }
  }
  const { handler, post, claude } = await serveStores({ ...store, runs }, { script })
  const response = await post('/runs', { input: 'x' })
  live = response.headers.get('millrace-run-id') ?? ''
  await claude.nextRequest()
  store.skip(31_000)
  expect(await handler.recover()).toEqual({ resumed: [] })
  hold.resolve()
  expect((await readEvents(response)).at(-1)).toMatchObject({ outcome: 'completed' })
})

function durableStores() {
  const clock = manualClock()
  const runs = { ...memoryRunStore({ clock }), durable: true }
  return { clock, runs, sessions: memorySessionStore({ clock }) }
}

const fixed = (clock: ReturnType<typeof manualClock>) => ({ clock, random: () => 0.5 })

test('takes over abandoned runs by itself, without being asked', async () => {
  const { clock, ...store } = durableStores()
  await store.runs.create({ runId: 'r1', messages: [question], createdAt: clock.now() }, 1_000)
  const { handler, get, errors } = await serveStores(store, {
    agent: { runtime: { clock } },
    handler: { runtime: fixed(clock) },
  })
  clock.advance(2_000)
  await clock.timer(10_000)
  const events = await readEvents(await get('/runs/r1/events'))
  expect(events.at(-1)).toMatchObject({ outcome: 'completed' })
  expect(errors).toEqual([])
  await handler.drain(0)
  expect(clock.pending).toBe(0)
})

test('looks less often while the store fails, and not at all with `every: 0`', async () => {
  const { clock, ...store } = durableStores()
  let asked = 0
  const runs = {
    ...store.runs,
    async abandoned() {
      asked++
      throw new Error('away')
    },
  }
  const { handler } = await serve({ runs, handler: { runtime: fixed(clock) } })
  const off = await serve({ runs, handler: { runtime: fixed(clock), recover: { every: 0 } } })
  for (const wait of [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    await clock.timer(wait)
    clock.advance(wait)
  }
  expect(asked).toBe(6)
  await handler.drain(0)
  await off.handler.drain(0)
})

test('takes up a run at once that a client asks for and nobody drives', async () => {
  const { clock, ...store } = durableStores()
  await store.runs.create({ runId: 'r1', messages: [question], createdAt: clock.now() }, 1_000)
  clock.advance(1_000)
  const { handler, get } = await serveStores(store, { handler: { runtime: fixed(clock) } })
  const events = await readEvents(await get('/runs/r1/events'))
  expect(events.at(-1)).toMatchObject({ outcome: 'completed' })
  await handler.drain(0)
})

test('a drain waits for runs that are being taken over, and none are after it', async () => {
  const store = stores()
  await store.abandon('r1', { sessionId: 'chat' })
  store.skip(31_000)
  const { handler } = await serveStores(store)
  const recovered = handler.recover()
  const drained = handler.drain(10_000)
  const { resumed } = await recovered
  expect(await drained).toEqual({ finished: resumed.length, interrupted: 0 })
  await store.abandon('r2')
  store.skip(31_000)
  expect(await handler.recover()).toEqual({ resumed: [] })
})

test('a run that lost its lease leaves the session to whoever drives it now', async () => {
  const store = stores()
  const hold = deferred()
  const { handler, post, claude } = await serveStores(store, {
    handler: { sessionId: () => 'chat' },
    script: async () => {
      await hold.promise
      return { content: [text('done')] }
    },
  })
  const response = await post('/runs', { input: 'x' })
  const runId = response.headers.get('millrace-run-id') ?? ''
  await claude.nextRequest()
  store.skip(31_000)
  expect(await store.runs.acquire(runId, 30_000)).toMatchObject({ status: 'acquired' })
  hold.resolve()
  expect((await readEvents(response)).at(-1)).toMatchObject({ error: { code: 'lease_lost' } })
  await handler.drain(10_000)
  expect(await store.sessions.load('chat')).toMatchObject({ version: 0, activeRunId: runId })
})

test('a store that fails is told to onError, and costs no other run', async () => {
  const store = stores()
  await store.abandon('r1', { sessionId: 'chat' })
  await store.abandon('r2', { sessionId: 'other' })
  store.skip(31_000)
  const away = new Error('redis://:pw@10.0.0.1')
  const failing: RunStore = { ...store.runs, abandoned: () => Promise.reject(away) }
  const none = await serveStores({ ...store, runs: failing })
  expect(await none.handler.recover()).toEqual({ resumed: [] })
  expect(none.errors).toEqual([away])

  const half: RunStore = {
    ...store.runs,
    snapshot: (runId) => (runId === 'r1' ? Promise.reject(away) : store.runs.snapshot(runId)),
  }
  const sessions: SessionStore = { ...store.sessions, load: () => Promise.reject(away) }
  const some = await serveStores({ runs: half, sessions })
  expect(await some.handler.recover()).toEqual({ resumed: ['r2'] })
  await some.handler.drain(10_000)
  expect(some.errors).toEqual([away, away])
  expect(await store.runs.snapshot('r2')).toMatchObject({ closed: true, outcome: 'completed' })
})

test('what cannot take runs over says so', async () => {
  const store = stores()
  await store.abandon('r1')
  store.skip(31_000)
  const remote = await serveStores(store, { handler: { agent: { run: (): never => expect.unreachable() } } })
  await expect(remote.handler.recover()).rejects.toMatchObject({ code: 'invalid_option', path: 'agent' })
  const create = () => Promise.reject(new Error('not called'))
  const agent = createAgent({ client: { messages: { create } }, request: { model: 'claude-opus-5-5', max_tokens: 1 } })
  const plain = await serveStores(store, { handler: { agent } })
  await expect(plain.handler.recover()).rejects.toMatchObject({ code: 'invalid_option', path: 'journal' })
  expect(plain.handler.openRuns).toBe(0)
  const old = await serveStores({ ...store, runs: Object.assign({ ...store.runs }, { abandoned: undefined }) })
  await expect(old.handler.recover()).rejects.toMatchObject({ code: 'invalid_option', path: 'runs' })
})
