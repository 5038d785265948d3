import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { text } from '@millrace/testing'
import { deferred, manualClock } from '@millrace/testing/async'
import { describe, expect, test } from 'vitest'
import { problemOf, readEvents, serve } from './support/served.ts'

const question = { input: 'hello' }

function slow(hold: { readonly promise: Promise<void> }) {
  return async () => {
    await hold.promise
    return { content: [text('done')] }
  }
}

test('drain refuses new runs, waits for those under way, and interrupts what is left', async () => {
  const clock = manualClock()
  const hold = deferred()
  let asked = 0
  const { handler, post, claude } = await serve({
    script: async () => {
      // The first answer comes when it may, the second never.
      if (++asked === 1) await hold.promise
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
  hold.resolve()
  expect((await first).at(-1)).toMatchObject({ outcome: 'completed' })
  clock.advance(10_000)
  expect(await drained).toEqual({ finished: 1, interrupted: 1 })
  expect((await second).at(-1)).toMatchObject({ type: 'run.finished', outcome: 'interrupted' })
  expect(clock.pending).toBe(0)
})

test('drain ends the responses that follow a run of another instance', async () => {
  const hold = deferred()
  const owner = await serve({ script: slow(hold) })
  const other = await serve({ runs: owner.runs })
  const started = await owner.post('/runs', question)
  const followed = await other.get(`/runs/${started.headers.get('millrace-run-id')}/events`)
  const events = readEvents(followed)
  expect(await other.handler.drain(1_000)).toEqual({ finished: 0, interrupted: 0 })
  expect((await events).some(({ type }) => type === 'run.finished')).toBe(false)
  hold.resolve()
  await readEvents(started)
})

const never = (): Promise<never> => new Promise(() => undefined)

describe('drain ends within 7 s after its grace period', () => {
  test.each(['append', 'commit'])('where the store hangs in %s, and reports the run', async (method) => {
    const clock = manualClock()
    const hold = deferred()
    const store = memoryRunStore()
    const kept = memorySessionStore()
    const { handler, post, claude, errors } = await serve({
      script: slow(hold),
      runs: { ...store, append: (...args) => (method === 'append' ? never() : store.append(...args)) },
      handler: {
        runtime: { clock },
        identify: () => 'alice',
        sessions: { ...kept, commit: (...args) => (method === 'commit' ? never() : kept.commit(...args)) },
      },
    })
    const response = await post('/runs', { ...question, sessionId: 'chat' })
    const body = response.text()
    if (method === 'commit') await claude.nextRequest()
    const drained = handler.drain(500)
    hold.resolve()
    await clock.timer(500)
    clock.advance(500)
    await clock.timer(6_000)
    clock.advance(6_000)
    await clock.timer(1_000)
    clock.advance(1_000)
    expect(await drained).toEqual({ finished: 0, interrupted: 1 })
    // Its response was ended, so that a server that is closed next has no open connection.
    expect(await body).not.toContain('run.finished')
    expect(errors).toMatchObject([{ code: 'internal', message: expect.stringContaining('6000 ms') }])
    expect(errors).toHaveLength(1)
  })

  test('where the recovery of runs hangs', async () => {
    const clock = manualClock()
    const { handler } = await serve({
      handler: { runtime: { clock }, runs: { ...memoryRunStore(), abandoned: never } },
    })
    void handler.recover()
    const drained = handler.drain(500)
    await clock.timer(500)
    clock.advance(500)
    expect(await drained).toEqual({ finished: 0, interrupted: 0 })
  })

  test('where a client reads nothing', async () => {
    const clock = manualClock()
    const { handler, post } = await serve({ handler: { runtime: { clock } } })
    const response = await post('/runs', question)
    const drained = handler.drain(500)
    await clock.timer(1_000)
    clock.advance(1_000)
    expect(await drained).toEqual({ finished: 1, interrupted: 0 })
    await response.body?.cancel()
  })
})

test('drain(0) interrupts at once', async () => {
  const { handler, post, claude } = await serve({ script: () => never() })
  const events = readEvents(await post('/runs', question))
  await claude.nextRequest()
  expect(await handler.drain(0)).toEqual({ finished: 0, interrupted: 1 })
  expect((await events).at(-1)).toMatchObject({ outcome: 'interrupted' })
})

test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '1'])('drain(%s) is refused', async (graceMs) => {
  const { handler } = await serve()
  await expect(Reflect.apply(handler.drain, undefined, [graceMs])).rejects.toMatchObject({
    code: 'invalid_option',
    path: 'graceMs',
  })
})

test('a JSON client of a run elsewhere is told to ask again, and later ones are refused', async () => {
  const hold = deferred()
  const owner = await serve({ script: slow(hold) })
  const other = await serve({ runs: owner.runs })
  const started = await owner.post('/runs', question)
  const path = `/runs/${started.headers.get('millrace-run-id')}/events`
  const waiting = await other.get(path, { accept: 'application/json' })
  const body = problemOf(waiting)
  await other.handler.drain(0)
  expect(waiting.status).toBe(200)
  expect(await body).toMatchObject({ status: 503, code: 'shutting_down' })
  expect((await other.get(path)).status).toBe(503)
  hold.resolve()
  await readEvents(started)
})
