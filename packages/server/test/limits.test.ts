import { text } from '@millrace/testing'
import { deferred, macrotask, manualClock } from '@millrace/testing/async'
import { expect, test } from 'vitest'
import type { Handler } from '../src/index.ts'
import { origin, problemOf, readEvents, serve } from './support/served.ts'

const question = { input: 'hello' }
const identify = (request: Request): string | undefined => request.headers.get('x-user') ?? undefined

function slow(hold: { readonly promise: Promise<void> }) {
  return async () => {
    await hold.promise
    return { content: [text('done')] }
  }
}

test('runs are limited for each user and in all', async () => {
  const hold = deferred()
  const { post, handler } = await serve({
    script: slow(hold),
    handler: { identify, limits: { runs: 3, runsPerUser: 2 } },
  })
  const start = (user: string) => post('/runs', question, { 'x-user': user })
  const open = [await start('alice'), await start('alice')]
  const own = await start('alice')
  expect(own.headers.get('retry-after')).toBe('5')
  expect(await problemOf(own)).toMatchObject({
    status: 429,
    code: 'too_many_runs',
    detail: expect.stringContaining('You'),
  })
  open.push(await start('bob'))
  expect(await problemOf(await start('carol'))).toMatchObject({ status: 429, detail: expect.stringContaining('There') })
  hold.resolve()
  await Promise.all(open.map(readEvents))
  expect(handler.openRuns).toBe(0)
  expect((await start('alice')).status).toBe(200)
})

test('a request that is refused gives its place back', async () => {
  const { post } = await serve({ handler: { identify, limits: { runs: 1, runsPerUser: 1 } } })
  for (let time = 0; time < 5; time++) {
    expect((await post('/runs', '{', { 'x-user': 'alice' })).status).toBe(400)
    expect((await post('/runs', { messages: [{ role: 'user', content: '' }] }, { 'x-user': 'alice' })).status).toBe(400)
  }
  await readEvents(await post('/runs', question, { 'x-user': 'alice' }))
})

test('followers are limited, and give their place back when they leave', async () => {
  const hold = deferred()
  const { post, get } = await serve({
    script: slow(hold),
    handler: { identify, limits: { followersPerUser: 2 } },
  })
  const alice = { 'x-user': 'alice' }
  const started = await post('/runs', question, alice)
  const path = `/runs/${started.headers.get('millrace-run-id')}/events`
  const followers = [await get(path, alice), await get(path, alice)]
  expect(await problemOf(await get(path, alice))).toMatchObject({ status: 429 })
  await followers[0]?.body?.cancel()
  expect((await get(path, alice)).status).toBe(200)
  hold.resolve()
  await readEvents(started)
})

test('bodies that are being read are limited, and each has its time', async () => {
  const clock = manualClock()
  const { handler, errors } = await serve({ handler: { limits: { uploads: 2 }, runtime: { clock } } })
  let cancelled = 0
  const trickle = (): Promise<Response> => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"input":')),
      cancel: () => void cancelled++,
    })
    const init = { method: 'POST', body, headers: { 'content-type': 'application/json' }, duplex: 'half' as const }
    return handler.fetch(new Request(`${origin}/runs`, init))
  }
  const lorises = [trickle(), trickle()]
  await clock.timer(30_000)
  expect(await problemOf(await trickle())).toMatchObject({ status: 429 })
  clock.advance(30_000)
  for (const response of await Promise.all(lorises)) {
    expect(await problemOf(response)).toMatchObject({ status: 408, code: 'request_timeout' })
  }
  expect(cancelled).toBe(2)
  expect(clock.pending).toBe(0)
  expect(handler.openRuns).toBe(0)
  expect(errors).toEqual([])
})

/** A request whose body never ends. */
function trickle(handler: Handler, headers: Record<string, string>, address?: string): Promise<Response> {
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{"input":')) })
  const init = {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
    duplex: 'half' as const,
  }
  return handler.handle(new Request(`${origin}/runs/r1/cancel`, init), { address })
}

test('bodies that trickle take the uploads of their own user or address, and of nobody else', async () => {
  const clock = manualClock()
  const limits = { uploads: 8, uploadsPerUser: 2, uploadsPerAddress: 3 }
  const { handler, post } = await serve({ handler: { identify, limits, runtime: { clock } } })
  const alice = { 'x-user': 'alice' }
  const slow = [trickle(handler, alice), trickle(handler, alice)]
  expect(await problemOf(await trickle(handler, alice))).toMatchObject({ status: 429 })
  for (let time = 0; time < 3; time++) slow.push(trickle(handler, {}, '10.0.0.1'))
  expect(await problemOf(await trickle(handler, {}, '10.0.0.1'))).toMatchObject({
    status: 429,
    detail: 'You have too many requests at once',
  })
  expect((await post('/runs', question, { 'x-user': 'bob' })).status).toBe(200)
  expect((await post('/runs', question)).status).toBe(200)
  slow.push(trickle(handler, {}, '10.0.0.2'))
  await macrotask()
  clock.advance(30_000)
  for (const response of await Promise.all(slow)) expect(response.status).toBe(408)
  expect((await trickleEnds(handler, alice)).status).toBe(404)
})

function trickleEnds(handler: Handler, headers: Record<string, string>): Promise<Response> {
  const init = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json', ...headers } }
  return handler.handle(new Request(`${origin}/runs/r1/cancel`, init), {})
}

test('a request without a body waits for no upload', async () => {
  const { handler, post } = await serve({ handler: { limits: { uploads: 1 } } })
  void trickle(handler, {})
  expect((await post('/runs', question)).status).toBe(429)
  expect((await post('/runs/none/cancel')).status).toBe(404)
})

test('runs and followers without a user count for their address, where the operator says so', async () => {
  const hold = deferred()
  const limits = { runsPerAddress: 1, followersPerAddress: 1 }
  const clientAddress = (request: Request): string | undefined => request.headers.get('x-forwarded-for') ?? undefined
  const { post, get } = await serve({ script: slow(hold), handler: { identify, limits, clientAddress } })
  const here = { 'x-forwarded-for': '10.0.0.1' }
  const run = await post('/runs', question, here)
  expect((await post('/runs', question, here)).status).toBe(429)
  // A user counts as a user, wherever the request comes from.
  expect((await post('/runs', question, { ...here, 'x-user': 'alice' })).status).toBe(200)
  const events = `/runs/${run.headers.get('millrace-run-id')}/events`
  expect((await get(events, here)).status).toBe(200)
  expect((await get(events, here)).status).toBe(429)
  expect((await get(events, { 'x-forwarded-for': '10.0.0.2' })).status).toBe(200)
  hold.resolve()
  await readEvents(run)
})

test('a body without an announced length is cut off at the limit', async () => {
  const { handler } = await serve({ handler: { bodyLimit: 1_000 } })
  let sent = 0
  const body = new ReadableStream({
    pull(controller) {
      sent += 100
      controller.enqueue(new Uint8Array(100).fill(32))
    },
  })
  const init = { method: 'POST', body, headers: { 'content-type': 'application/json' }, duplex: 'half' as const }
  expect(await problemOf(await handler.fetch(new Request(`${origin}/runs`, init)))).toMatchObject({ status: 413 })
  expect(sent).toBeLessThan(1_500)
})
