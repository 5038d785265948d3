import { type RunStore } from '@millrace/core'
import { memoryRunStore } from '@millrace/core/memory'
import { expect, test } from 'vitest'
import { createHandler, type HandlerOptions } from '../src/index.ts'
import { problemOf, readEvents, serve } from './support/served.ts'

const identify: HandlerOptions['identify'] = (request) => request.headers.get('x-user') ?? undefined
const question = { input: 'hello' }

test('the run of another user is not there', async () => {
  const { post, get, handler } = await serve({ handler: { identify } })
  const alice = { 'x-user': 'alice' }
  const runId = crypto.randomUUID()
  await readEvents(await post('/runs', { ...question, runId }, alice))
  for (const headers of [{ 'x-user': 'bob' }, {}]) {
    for (const response of [
      await get(`/runs/${runId}`, headers),
      await get(`/runs/${runId}/events`, headers),
      await post(`/runs/${runId}/cancel`, undefined, headers),
      await post('/runs', { ...question, runId }, headers),
    ]) {
      expect(await problemOf(response)).toEqual(await problemOf(await get('/runs/none', headers)))
    }
  }
  expect((await get(`/runs/${runId}`, alice)).status).toBe(200)
  expect(handler.openRuns).toBe(0)
})

test('the user is the targeting key of the flag context', async () => {
  const { post, runs } = await serve({ handler: { identify: () => ({ targetingKey: 'alice', plan: 'pro' }) } })
  const [started] = await readEvents(await post('/runs', question))
  expect((await runs.snapshot(started?.runId ?? ''))?.record.owner).toBe('alice')
})

test.each([[{}], [''], [null], [{ targetingKey: '' }], [7]])('identify may not give %j', async (identity) => {
  const { post, errors, claude } = await serve({ handler: { identify: () => JSON.parse(JSON.stringify(identity)) } })
  expect(await problemOf(await post('/runs', question))).toMatchObject({ status: 500, code: 'internal' })
  expect(errors).toHaveLength(1)
  expect(claude.requests).toHaveLength(0)
})

test('authorize is asked before anything else, with what is to be done', async () => {
  const asked: unknown[] = []
  const { post, get, claude } = await serve({
    handler: {
      authorize(request, wish) {
        asked.push(wish)
        if (request.headers.has('x-key')) return true
        return wish.action === 'start' ? false : new Response('who are you?', { status: 401 })
      },
    },
  })
  expect(await problemOf(await post('/runs', 'no JSON'))).toMatchObject({ status: 403, code: 'forbidden' })
  expect((await get('/runs/r1')).status).toBe(401)
  expect((await get('/runs/r1/events')).status).toBe(401)
  expect((await post('/runs/r1/cancel')).status).toBe(401)
  expect((await post('/runs', question, { 'x-key': '1' })).status).toBe(200)
  expect(asked).toEqual([
    { action: 'start' },
    { action: 'snapshot', runId: 'r1' },
    { action: 'follow', runId: 'r1' },
    { action: 'cancel', runId: 'r1' },
    { action: 'start' },
  ])
  expect(claude.requests.length).toBeLessThanOrEqual(1)
})

test('what an option throws is told to onError and to nobody else', async () => {
  const secret = new Error('connect ECONNREFUSED postgres://admin:hunter2@10.0.0.1')
  const throws = (): never => {
    throw secret
  }
  for (const option of ['authorize', 'identify', 'sessionId', 'toInput'] as const) {
    const { post, errors } = await serve({ handler: { [option]: throws } })
    const response = await post('/runs', question)
    expect(response.status).toBe(500)
    const body = await response.text()
    expect(body).not.toContain('hunter2')
    expect(body).not.toContain('postgres')
    expect(errors).toEqual([secret])
  }
})

test('an onError that throws changes nothing', async () => {
  const { post } = await serve({
    handler: {
      identify: () => JSON.parse('7'),
      onError: () => {
        throw new Error('again')
      },
    },
  })
  expect((await post('/runs', question)).status).toBe(500)
})

test('a store that is away is a 503 that may be tried again', async () => {
  const away: RunStore = { ...memoryRunStore(), snapshot: () => Promise.reject(new Error('redis is away')) }
  const { get, errors } = await serve({ handler: { runs: away } })
  const response = await get('/runs/r1')
  expect(response.headers.get('retry-after')).toBe('1')
  expect(await problemOf(response)).toMatchObject({ status: 503, code: 'store_unavailable', detail: 'Try again later' })
  expect(errors).toEqual([new Error('redis is away')])
})

test.each([
  [{ agent: undefined }, 'agent'],
  [{ runs: {} }, 'runs'],
  [{ sessions: {} }, 'sessions'],
  [{ basePath: '/a/' }, 'basePath'],
  [{ basePath: 'a' }, 'basePath'],
  [{ heartbeat: 0 }, 'heartbeat'],
  [{ bodyLimit: -1 }, 'bodyLimit'],
  [{ limits: { runs: 0 } }, 'limits.runs'],
  [{ limits: { run: 1 } }, 'limits.run'],
  [{ onDisconnect: 'stop' }, 'onDisconnect'],
  [{ authorise: true }, 'authorise'],
  [{ identify: 1 }, 'identify'],
  [{ runtime: { clock: {} } }, 'runtime.clock'],
])('the option %j is refused with its path', (options, path) => {
  const valid: object = { agent: { run: () => undefined }, runs: memoryRunStore() }
  const given: HandlerOptions = JSON.parse('{}')
  Object.assign(given, valid, options)
  expect(() => createHandler(given)).toThrow(expect.objectContaining({ path }))
})
