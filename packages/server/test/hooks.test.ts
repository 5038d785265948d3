import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { macrotask, manualClock } from '@millrace/testing/async'
import { describe, expect, test, vi } from 'vitest'
import type { ErrorInfo, HandlerOptions } from '../src/index.ts'
import { problemOf, readEvents, serve } from './support/served.ts'

const question = { input: 'hello' }

/** Options as JavaScript may give them. */
function careless(options: object): Partial<HandlerOptions> {
  const given: Partial<HandlerOptions> = {}
  return Object.assign(given, options)
}

/** A Response whose class is not the global one. */
class ForeignResponse {
  readonly #inner: Response
  constructor(inner: Response) {
    this.#inner = inner
  }
  get status(): number {
    return this.#inner.status
  }
  get headers(): Headers {
    return this.#inner.headers
  }
  get body(): ReadableStream | null {
    return this.#inner.body
  }
  get bodyUsed(): boolean {
    return this.#inner.bodyUsed
  }
}

const nothing = (): void => undefined

describe('authorize', () => {
  test.each([
    ['undefined', nothing],
    ['null', () => null],
    ['0', () => 0],
    ['1', () => 1],
    ['an empty string', () => ''],
    ['"true"', () => 'true'],
    ['NaN', () => Number.NaN],
    ['an object', () => ({ allowed: false })],
    ['a list', () => [true]],
    ['a function', () => () => true],
    ['a Boolean object', () => Object(true)],
    ['a promise of undefined', async () => undefined],
    ['Response.error()', () => Response.error()],
    ['a Response with a control character in a header', () => new Response('no', { headers: { 'x-why': '\u0001' } })],
  ])('admits nobody by %s, and is reported', async (_name, authorize) => {
    const { post, errors, claude } = await serve({ handler: careless({ authorize }) })
    expect(await problemOf(await post('/runs', question))).toMatchObject({ status: 500, code: 'internal' })
    expect(errors).toHaveLength(1)
    expect(claude.requests).toHaveLength(0)
  })

  test('answers with a Response of any class, body and headers included', async () => {
    const authorize = (): object =>
      new ForeignResponse(new Response('who are you?', { status: 401, headers: { 'www-authenticate': 'Bearer' } }))
    const { post, errors, claude } = await serve({ handler: careless({ authorize }) })
    const response = await post('/runs', question)
    expect(response).toBeInstanceOf(Response)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(await response.text()).toBe('who are you?')
    expect(errors).toEqual([])
    expect(claude.requests).toHaveLength(0)
  })

  test('is reported when it gives a Response that was sent before', async () => {
    const once = new Response('no', { status: 401 })
    const { get, errors } = await serve({ handler: { authorize: () => once } })
    const first = await get('/runs/r1')
    expect([first.status, await first.text()]).toEqual([401, 'no'])
    expect((await get('/runs/r1')).status).toBe(500)
    expect(String(errors[0])).toContain('make a new Response for each request')
    const bare = new Response(null, { status: 401 })
    const other = await serve({ handler: { authorize: () => bare } })
    expect([(await other.get('/runs/r1')).status, (await other.get('/runs/r1')).status]).toEqual([401, 401])
  })

  test('gives several cookies', async () => {
    const headers: [string, string][] = [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ]
    const { get } = await serve({ handler: { authorize: () => new Response(null, { status: 302, headers }) } })
    expect((await get('/runs/r1')).headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  })
})

test.each([
  ['identify', null],
  ['identify', ''],
  ['identify', { id: 'alice' }],
  ['clientAddress', null],
  ['clientAddress', 7],
  ['sessionId', ''],
  ['sessionId', { id: 'chat' }],
  ['sessionId', null],
  ['toInput', undefined],
  ['toInput', null],
  ['toInput', {}],
  ['toInput', { messages: 'hello' }],
])('%s gives %j: 500, reported, and nothing is run', async (option, answer) => {
  const handler = careless({ [option]: () => answer, sessions: memorySessionStore() })
  const { post, errors, claude } = await serve({ handler })
  expect(await problemOf(await post('/runs', question))).toMatchObject({ status: 500, code: 'internal' })
  expect(errors).toEqual([expect.objectContaining({ code: 'invalid_option', path: option })])
  expect(claude.requests).toHaveLength(0)
})

test.each(['authorize', 'identify', 'clientAddress', 'sessionId', 'toInput'])(
  '%s never answers: 500 after hookTimeout, and it is reported',
  async (option) => {
    const clock = manualClock()
    const { post, errors } = await serve({
      handler: careless({ [option]: () => new Promise(nothing), hookTimeout: 3_000, runtime: { clock } }),
    })
    const answer = post('/runs', question)
    await clock.timer(3_000)
    clock.advance(3_000)
    expect((await answer).status).toBe(500)
    expect(errors).toEqual([expect.objectContaining({ path: option, message: expect.stringContaining('3000 ms') })])
    expect(clock.pending).toBe(0)
  },
)

test('onError hears where an error comes from, and of which run', async () => {
  const heard: ErrorInfo[] = []
  const onError = (_error: unknown, info: ErrorInfo): void => void heard.push(info)
  const throws = (): never => {
    throw new Error('boom')
  }
  const runs = { ...memoryRunStore(), snapshot: () => Promise.reject(new Error('away')) }
  const { post, get } = await serve({ handler: { onError, toInput: throws, runs } })
  const runId = crypto.randomUUID()
  await get('/runs/r1')
  expect(heard).toEqual([{ source: 'runs.snapshot', runId: 'r1' }])
  const other = await serve({ handler: { onError, toInput: throws } })
  await other.post('/runs', { ...question, runId })
  expect(heard.at(-1)).toEqual({ source: 'toInput', runId })
  await post('/runs', { ...question, runId })
  expect(heard.at(-1)).toEqual({ source: 'runs.snapshot', runId })
})

test('an onError that rejects or throws changes nothing', async () => {
  const failing = [
    async (): Promise<never> => Promise.reject(new Error('log server down')),
    (): never => {
      throw new Error('again')
    },
  ]
  for (const onError of failing) {
    const { post } = await serve({ handler: careless({ identify: () => 7, onError }) })
    // An unhandled rejection would fail this test run.
    expect((await post('/runs', question)).status).toBe(500)
    await macrotask()
  }
})

test('without onError, errors go to stderr', async () => {
  const written = vi.spyOn(console, 'error').mockImplementation(nothing)
  try {
    const handler = careless({
      onError: undefined,
      identify: () => {
        throw new Error('db is down')
      },
    })
    const { post } = await serve({ handler })
    expect((await post('/runs', question)).status).toBe(500)
    expect(written).toHaveBeenCalledExactlyOnceWith('millrace: identify failed:', new Error('db is down'))
  } finally {
    written.mockRestore()
  }
})

describe('a store that fails', () => {
  test.each(['create', 'append'] as const)(
    'in %s: the run fails, and its error and cause are reported',
    async (method) => {
      const runs = { ...memoryRunStore(), [method]: () => Promise.reject(new Error('ECONNREFUSED')) }
      const { post, errors } = await serve({ runs })
      const events = await readEvents(await post('/runs', question))
      expect(events.at(-1)).toMatchObject({ outcome: 'failed', error: { code: 'store_unavailable' } })
      expect(errors).toEqual([
        expect.objectContaining({
          code: 'store_unavailable',
          cause: expect.objectContaining({ message: 'ECONNREFUSED' }),
        }),
      ])
    },
  )

  test.each(['rejects', 'throws'])(
    '%s in a read: the response breaks off, and the cause is reported once',
    async (how) => {
      const store = memoryRunStore()
      const { post } = await serve({ runs: store })
      const runId = (await readEvents(await post('/runs', question)))[0]?.runId
      const read = (): AsyncIterable<never> => {
        if (how === 'throws') throw new Error('away')
        return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('away')) }) }
      }
      const { get, errors } = await serve({ handler: { runs: { ...store, read } } })
      await expect((await get(`/runs/${runId}/events`)).text()).rejects.toThrow('')
      expect(errors).toEqual([new Error('away')])
      const json = await get(`/runs/${runId}/events?format=json`)
      expect(await problemOf(json)).toMatchObject({ status: 503, code: 'store_unavailable' })
      expect(errors).toHaveLength(2)
    },
  )

  test('throws at once instead of rejecting: reported all the same', async () => {
    const throws = (): never => {
      throw new Error('not connected')
    }
    const sessions = { ...memorySessionStore(), claim: throws }
    const { post, errors } = await serve({ handler: { sessions, identify: () => 'alice' } })
    expect((await post('/runs', { ...question, sessionId: 'chat' })).status).toBe(503)
    expect(errors).toEqual([new Error('not connected')])
  })

  test('throws when a claim is renewed: the run goes on, and the process lives', async () => {
    const clock = manualClock()
    const sessions = memorySessionStore({ clock })
    const { post, errors } = await serve({
      handler: { sessions, identify: () => 'alice', runtime: { clock }, sessionClaim: 3_000 },
      claude: { faults: [{ kind: 'slow-headers', ms: 50 }] },
    })
    const response = await post('/runs', { ...question, sessionId: 'chat' })
    Object.assign(sessions, {
      claim: (): never => {
        throw new Error('not connected')
      },
    })
    clock.advance(1_000)
    expect((await readEvents(response)).at(-1)).toMatchObject({ outcome: 'completed' })
    expect(errors).toEqual([new Error('not connected')])
  })
})

test('an agent whose result rejects, or that gives no run, is the operator’s mistake', async () => {
  const rejecting = {
    runId: 'r1',
    result: Promise.reject(new Error('agent broke')),
    interrupt: nothing,
    batches: () => ({ [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) }),
  }
  const run = await serve({ handler: careless({ agent: { run: () => rejecting } }) })
  const failed = await run.post('/runs', question, { accept: 'application/json' })
  expect(await failed.json()).toMatchObject({ outcome: 'failed', error: { code: 'internal' } })
  expect(run.errors).toEqual([expect.objectContaining({ cause: new Error('agent broke') })])
  const none = await serve({ handler: careless({ agent: { run: async () => rejecting } }) })
  expect((await none.post('/runs', question)).status).toBe(500)
  expect(none.errors).toEqual([expect.objectContaining({ path: 'run' })])
})

test('a run that fails is reported with its id, one that is interrupted is not', async () => {
  const { post, errors } = await serve({ claude: { faults: [{ kind: 'status', status: 401 }] } })
  await readEvents(await post('/runs', question))
  expect(errors).toMatchObject([{ code: 'authentication' }])
})

describe('a conversation that the agent refuses', () => {
  const blank = { role: 'user' as const, content: [{ type: 'text' as const, text: ' ' }] }

  test('is the client’s mistake where the client gave it, with the path in its request', async () => {
    const { post, errors } = await serve({
      handler: { sessions: memorySessionStore(), identify: () => 'alice', toInput: (input) => ({ ...input }) },
    })
    await readEvents(await post('/runs', { input: 'one', sessionId: 'chat' }))
    for (const body of [
      { messages: [blank], sessionId: 'chat' },
      { messages: [{ role: 'user', content: 'x' }, blank] },
    ]) {
      const path = `messages[${body.messages.length - 1}].content[0].text`
      const problem = await problemOf(await post('/runs', body))
      expect(problem).toMatchObject({ status: 400, code: 'invalid_body', path })
      expect(problem['detail']).toContain(path)
    }
    expect(errors).toEqual([])
  })

  test('is the operator’s where toInput made it', async () => {
    for (const toInput of [
      (input: object) => ({ ...input, messages: [blank] }),
      (input: { messages: readonly unknown[] }) => ({ ...input, messages: [...input.messages, blank] }),
      (input: object) => ({ ...input, mode: 'fast' }),
      (input: object) => ({ ...input, sytem: 'x' }),
    ]) {
      const { post, errors } = await serve({ handler: careless({ toInput }) })
      expect((await post('/runs', question)).status).toBe(500)
      expect(errors).toHaveLength(1)
    }
  })
})
