import { text } from '@millrace/testing'
import { expect, test } from 'vitest'
import { gate } from './support/gate.ts'
import { manualClock } from './support/manual-clock.ts'
import { origin, problemOf, readEvents, serve } from './support/served.ts'

const question = { input: 'hello' }
const identify = (request: Request): string | undefined => request.headers.get('x-user') ?? undefined

function slow(hold: { passed: Promise<void> }) {
  return async () => {
    await hold.passed
    return { content: [text('done')] }
  }
}

test('runs are limited for each user and in all', async () => {
  const hold = gate()
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
  hold.open()
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
  const hold = gate()
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
  hold.open()
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
  expect(clock.pending()).toBe(0)
  expect(handler.openRuns).toBe(0)
  expect(errors).toEqual([])
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

test('drain refuses new runs, waits for those under way, and interrupts what is left', async () => {
  const clock = manualClock()
  const hold = gate()
  let asked = 0
  const { handler, post, claude } = await serve({
    script: async () => {
      // The first answer comes when it may, the second never.
      if (++asked === 1) await hold.passed
      else await new Promise(() => undefined)
      return { content: [text('done')] }
    },
    handler: { runtime: { clock } },
  })
  const first = readEvents(await post('/runs', question))
  await claude.waitFor(({ index }) => index === 0)
  const second = readEvents(await post('/runs', question))
  await claude.waitFor(({ index }) => index === 1)
  const drained = handler.drain(10_000)
  const refused = await post('/runs', question)
  expect(refused.headers.get('retry-after')).toBe('1')
  expect(await problemOf(refused)).toMatchObject({ status: 503, code: 'shutting_down' })
  hold.open()
  expect((await first).at(-1)).toMatchObject({ outcome: 'completed' })
  clock.advance(10_000)
  expect(await drained).toEqual({ finished: 1, interrupted: 1 })
  expect((await second).at(-1)).toMatchObject({ type: 'run.finished', outcome: 'interrupted' })
  expect(clock.pending()).toBe(0)
})

test('drain ends the responses that follow a run of another instance', async () => {
  const hold = gate()
  const owner = await serve({ script: slow(hold) })
  const other = await serve({ runs: owner.runs })
  const started = await owner.post('/runs', question)
  const followed = await other.get(`/runs/${started.headers.get('millrace-run-id')}/events`)
  const events = readEvents(followed)
  expect(await other.handler.drain(1_000)).toEqual({ finished: 0, interrupted: 0 })
  expect((await events).some(({ type }) => type === 'run.finished')).toBe(false)
  hold.open()
  await readEvents(started)
})
