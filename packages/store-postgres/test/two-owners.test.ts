import Anthropic from '@anthropic-ai/sdk'
import { createAgent } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { startClaude, text } from '@millrace/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createChanges } from '../src/changes.ts'
import { postgresStores } from '../src/index.ts'
import { deltas, recordOf, storedEvents } from './support/events.ts'
import { newSchema, openStores, requirePostgres, sharedServer } from './support/server.ts'

requirePostgres().describe('two processes', () => {
  const server = sharedServer()

  test('of which one was taken for dead: its writes are refused, by the clock of the server', async () => {
    const schema = newSchema()
    const [paused, heir] = [openStores(server().url, { schema }), openStores(server().url, { schema })]
    await paused.runs.create(recordOf('run-1'), 0)
    await paused.runs.append('run-1', 1, deltas('run-1', 1, 2))
    expect(await heir.runs.abandoned(10)).toEqual(['run-1'])
    expect(await heir.runs.acquire('run-1', 60_000)).toEqual({ status: 'acquired', fence: 2, tail: 2 })
    expect(await paused.runs.append('run-1', 1, deltas('run-1', 3, 3))).toEqual({ status: 'fenced' })
    expect(await paused.runs.renew('run-1', 1, 60_000)).toEqual({ status: 'fenced' })
    expect(await paused.runs.append('run-1', 1, [], { outcome: 'failed' })).toEqual({ status: 'fenced' })
    await heir.runs.append('run-1', 2, deltas('run-1', 3, 4), { outcome: 'completed' })
    expect(await storedEvents(paused.runs, 'run-1')).toEqual(deltas('run-1', 1, 4))
  })

  test.each([
    ['by a notification', { pollMs: 1_000_000 }],
    ['by the poll, where notifications are lost', { pollMs: 20, listenPool: false }],
  ] as const)('of which one cancels a run of the other stop it %s', async (_how, options) => {
    const schema = newSchema()
    const [own, other] = [openStores(server().url, { schema, ...options }), openStores(server().url, { schema })]
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const claude = await startClaude({
      async script() {
        await held
        return { content: [text('Too late.')] }
      },
    })
    onTestFinished(() => claude.close())
    // No timer of the run fires, so that neither an append nor a renewal can tell of the cancel.
    const clock = { now: () => Date.now(), setTimer: () => () => {} }
    const agent = createAgent({
      client: new Anthropic({ baseURL: claude.url, apiKey: 'any' }),
      request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
      journal: runJournal(own.runs),
      runtime: { clock },
    })
    const run = agent.run({ messages: [{ role: 'user', content: 'Hello?' }], runId: 'run-1' })
    await claude.nextRequest()
    expect(await other.runs.cancel('run-1', 'by the user')).toBe(true)
    expect(await run.result).toMatchObject({ outcome: 'interrupted' })
    expect(await other.runs.snapshot('run-1')).toMatchObject({ closed: true, cancelled: 'by the user' })
    release()
  })

  test('share what they cannot tell apart: ids with zero characters, lone surrogates and quotes', async () => {
    const schema = newSchema()
    const [own, other] = [openStores(server().url, { schema }), openStores(server().url, { schema })]
    const ids = ['\u0000', '\ud800', '"', '\\"', "'; DROP TABLE runs; --", '\u{1f600}']
    for (const id of ids) {
      await own.runs.create({ ...recordOf(id), owner: id, sessionId: id }, 60_000)
      await own.runs.cancel(id, id)
      await own.sessions.claim(id, id, 60_000, id)
      await own.state.set(id, id, 0)
      await own.state.add(id, { [id]: 1 }, id)
    }
    for (const id of ids) {
      expect(await other.runs.snapshot(id)).toMatchObject({ record: { runId: id }, cancelled: id })
      expect(await other.runs.list({ owner: id, limit: 9 })).toMatchObject([{ runId: id, sessionId: id, owner: id }])
      expect(await other.sessions.load(id)).toMatchObject({ sessionId: id, activeRunId: id, owner: id })
      expect(await other.sessions.list({ owner: id, limit: 9 })).toMatchObject([{ sessionId: id, activeRunId: id }])
      expect(await other.state.get(id)).toEqual({ value: id, version: 1 })
      expect(await other.state.counters(id)).toEqual({ [id]: 1 })
    }
  })

  test('what has expired is removed from the tables, and what has not is kept', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    let now = 1_000_000
    const clock = { now: () => now, setTimer: () => () => {} }
    const schema = newSchema()
    const retention = { eventsMs: 100_000, recordMs: 200_000, sessionMs: 300_000 }
    const { runs, sessions, pool } = openStores(server().url, { schema, clock, retention })
    for (const runId of ['closed', 'abandoned', 'live']) {
      await runs.create(recordOf(runId), runId === 'live' ? 1_000_000 : 0)
      for (let seq = 1; seq <= 5; seq++) await runs.append(runId, 1, deltas(runId, seq, seq))
    }
    await runs.append('closed', 1, [], { outcome: 'completed' })
    await sessions.claim('old', 'closed', 1)
    const rows = async (): Promise<unknown> => {
      const tables = ['runs', 'batches', 'sessions'].map((table) => `(SELECT count(*)::int FROM ${schema}.${table})`)
      return (await pool.query(`SELECT ARRAY[${tables.join(', ')}] AS counts`)).rows[0].counts
    }
    const pass = async (ms: number, expected: readonly number[]): Promise<void> => {
      now += ms
      vi.advanceTimersByTime(60_000)
      await vi.waitUntil(async () => String(await rows()) === String(expected))
    }
    await pass(99_999, [3, 15, 1])
    await pass(1, [3, 10, 1])
    expect(await runs.snapshot('closed')).toMatchObject({ first: 6, tail: 5 })
    await pass(100_000, [1, 5, 1])
    await pass(100_000, [1, 5, 0])
    expect(await runs.snapshot('live')).toMatchObject({ tail: 5, first: 1 })
  })

  test('that may not migrate say what is missing', async () => {
    const { runs } = openStores(server().url, { schema: newSchema(), migrate: false })
    await expect(runs.snapshot('run-1')).rejects.toThrow('is not up to date, and migrate is false')
  })

  test('refuse a schema of a newer version', async () => {
    const schema = newSchema()
    const { runs, pool } = openStores(server().url, { schema })
    await runs.snapshot('run-1')
    await pool.query(`INSERT INTO ${schema}.migrations VALUES (1000)`)
    await expect(openStores(server().url, { schema }).runs.snapshot('run-1')).rejects.toThrow('has format 1000')
  })

  test('of which one is closed: it refuses calls, and ends its readers', async () => {
    const { runs, close } = openStores(server().url, { schema: newSchema() })
    await runs.create(recordOf('run-1'), 60_000)
    const waiting = Promise.allSettled([runs.read('run-1', 0)[Symbol.asyncIterator]().next()])
    await close()
    expect(await waiting).toMatchObject([{ status: 'rejected', reason: { code: 'store_unavailable' } }])
    await expect(runs.snapshot('run-1')).rejects.toMatchObject({ message: 'the Postgres store is closed' })
  })

  test('refuse what is larger than a limit, and change nothing', async () => {
    const limits = { runBytes: 2_000, sessionBytes: 100, valueBytes: 100 }
    const { runs, sessions, state } = openStores(server().url, { schema: newSchema(), limits })
    const large = 'x'.repeat(2_000)
    await runs.create(recordOf('run-1'), 60_000)
    await expect(runs.append('run-1', 1, deltas('run-1', 1, 1, large))).rejects.toMatchObject({
      code: 'store_unavailable',
      path: 'limits.runBytes',
    })
    expect(await runs.snapshot('run-1')).toMatchObject({ tail: 0 })
    await expect(runs.create({ ...recordOf('run-2'), owner: large }, 1)).rejects.toMatchObject({
      path: 'limits.runBytes',
    })
    await sessions.claim('chat', 'run-1', 60_000)
    const long = sessions.commit('chat', 'run-1', 0, [{ role: 'user', content: large }])
    await expect(long).rejects.toMatchObject({ path: 'limits.sessionBytes' })
    await expect(state.set('plan', large, 0)).rejects.toMatchObject({ path: 'limits.valueBytes' })
  })
})

test.each([
  [{}, 'pool must be a Pool of pg'],
  [{ pool: {} }, 'pool must be an object with query()'],
  [{ pool: fakePool(), schema: 'No' }, 'schema must be a name of lower-case letters'],
  [{ pool: fakePool(), pollMS: 1 }, 'unknown option "pollMS"; did you mean "pollMs"?'],
  [{ pool: fakePool(), listenPool: true }, 'listenPool must be an object with query()'],
])('wrong options are refused: %j', (options, message) => {
  expect(() => Reflect.apply(postgresStores, undefined, [options])).toThrow(message)
})

function fakePool(): object {
  return { query() {}, connect() {}, on() {}, removeListener() {} }
}

test('a poll that fails rings for everybody, and one that finds no change for nobody', async () => {
  let found: ReadonlyMap<string, string> | undefined = new Map([['a', '1']])
  let polls = 0
  const rung: string[] = []
  const changes = createChanges({
    pollMs: 1,
    async poll() {
      polls++
      if (found === undefined) throw new Error('away')
      return found
    },
    send: () => {},
    onListen: () => {},
  })
  const stop = changes.listen('a', () => rung.push('a'))
  // What was there before the first poll may have changed since its reader looked.
  await vi.waitUntil(() => rung.length === 1)
  const before = polls
  await vi.waitUntil(() => polls > before + 1)
  expect(rung).toHaveLength(1)
  found = new Map([['a', '2']])
  await vi.waitUntil(() => rung.length === 2)
  found = undefined
  await vi.waitUntil(() => rung.length > 2)
  stop()
})
