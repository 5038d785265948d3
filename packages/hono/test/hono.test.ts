import Anthropic from '@anthropic-ai/sdk'
import { serve } from '@hono/node-server'
import { useSession } from '@hono/session'
import { createAgent, type LocalAgent } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { createHandler, type HandlerOptions } from '@millrace/server'
import { startClaude, text } from '@millrace/testing'
import { type Context, Hono } from 'hono'
import { validator } from 'hono/validator'
import { describe, expect, onTestFinished, test } from 'vitest'
import { honoContext, honoSession, millrace, streamRun } from '../src/index.ts'

const secret = '0'.repeat(64)

/** A model that says how many user messages it was given. */
async function agentAnd(options: Partial<HandlerOptions> = {}) {
  const claude = await startClaude({
    script: ({ messages }) => ({ content: [text(`heard ${messages.filter(({ role }) => role === 'user').length}`)] }),
  })
  onTestFinished(() => claude.close())
  const runs = memoryRunStore()
  const agent: LocalAgent = createAgent({
    client: new Anthropic({ apiKey: 'k', baseURL: claude.url }),
    request: { model: 'claude-opus-5-5', max_tokens: 100 },
    journal: runJournal(runs),
  })
  const errors: unknown[] = []
  const onError = (error: unknown): void => void errors.push(error)
  return { agent, errors, handler: createHandler({ agent, runs, sessions: memorySessionStore(), onError, ...options }) }
}

function post(app: Hono, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    body: JSON.stringify(body),
  }
  return Promise.resolve(app.request(path, init))
}

test.each(['', '/api', '/api/:tenant'])('a sub-app under %j answers its paths, and no other', async (base) => {
  const { handler } = await agentAnd()
  const app = new Hono()
  if (base === '') app.route('/', millrace(handler))
  else app.route(base, millrace(handler))
  app.get('/hello', (c) => c.text('hello'))
  const path = base.replace(':tenant', 't%201')
  expect(await (await post(app, `${path}/runs`, { input: 'x' })).json()).toMatchObject({ text: 'heard 1' })
  expect((await app.request(`${path}/runs/none/events`)).headers.get('content-type')).toBe('application/problem+json')
  expect(await (await app.request('/hello')).text()).toBe('hello')
  expect((await app.request(`${path}/elsewhere`)).headers.get('content-type')).not.toContain('problem')
})

test('the session of @hono/session holds a random id, and the conversation goes on under it', async () => {
  const { handler, errors } = await agentAnd({ sessionId: honoSession() })
  const app = new Hono()
  app.use(useSession({ secret }))
  app.route('/', millrace(handler))
  const first = await post(app, '/runs', { input: 'one' })
  const cookie = first.headers.get('set-cookie')?.split(';', 1).join('') ?? ''
  expect(await first.json()).toMatchObject({ text: 'heard 1' })
  expect(await (await post(app, '/runs', { input: 'two' }, { cookie })).json()).toMatchObject({ text: 'heard 2' })
  expect(await (await post(app, '/runs', { input: 'one' })).json()).toMatchObject({ text: 'heard 1' })
  expect(errors).toEqual([])
})

test('without a session the option says what is missing', async () => {
  const { handler, errors } = await agentAnd({ sessionId: honoSession() })
  const app = new Hono().route('/', millrace(handler))
  expect((await post(app, '/runs', { input: 'x' })).status).toBe(500)
  expect(String(errors[0])).toContain('useSession(), mounted before the handler')
})

test('identify finds what other middleware has put on the context', async () => {
  const { handler } = await agentAnd({ identify: (request) => honoContext(request).get('user') })
  const app = new Hono<{ Variables: { user: string } }>()
  app.use(async (c, next) => {
    c.set('user', c.req.header('x-user') ?? 'nobody')
    await next()
  })
  app.route('/', millrace(handler))
  const plain = new Hono().route('/', app)
  const run = await post(plain, '/runs', { input: 'x' }, { 'x-user': 'alice' })
  const path = `/runs/${run.headers.get('millrace-run-id')}`
  expect((await plain.request(path, { headers: { 'x-user': 'alice' } })).status).toBe(200)
  expect((await plain.request(path, { headers: { 'x-user': 'bob' } })).status).toBe(404)
  expect(() => honoContext(new Request('http://x'))).toThrow(expect.objectContaining({ code: 'invalid_input' }))
})

const readers: Readonly<Record<string, (c: Context) => Promise<unknown>>> = {
  'c.req.json()': (c) => c.req.json(),
  'c.req.text()': (c) => c.req.text(),
  'c.req.arrayBuffer()': (c) => c.req.arrayBuffer(),
  'c.req.blob()': (c) => c.req.blob(),
}

/** Serves an app on Node, where Hono has requests of its own. */
async function listen(app: Hono): Promise<string> {
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  onTestFinished(() => void server.close())
  if (!server.listening) await new Promise((resolve) => server.once('listening', () => resolve(undefined)))
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
}

describe.each(['in process', 'on Node'])('%s', (where) => {
  async function ask(app: Hono): Promise<Response> {
    if (where === 'in process') return post(app, '/runs', { input: 'x' })
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    return fetch(`${await listen(app)}/runs`, { method: 'POST', headers, body: '{"input":"x"}' })
  }

  test.each(Object.entries(readers))('middleware may have read the body by %s', async (_name, read) => {
    const { handler, errors } = await agentAnd({ identify: (request) => honoContext(request).req.header('x-user') })
    const app = new Hono()
    app.use(async (c, next) => {
      await read(c)
      await next()
    })
    app.route('/', millrace(handler))
    expect(await (await ask(app)).json()).toMatchObject({ text: 'heard 1' })
    expect(errors).toEqual([])
  })

  test('a validator may stand before it', async () => {
    const { handler } = await agentAnd()
    const app = new Hono()
    app.use(
      '/runs',
      validator('json', (value) => value),
    )
    app.route('/', millrace(handler))
    expect(await (await ask(app)).json()).toMatchObject({ text: 'heard 1' })
  })

  test('a body that was read past Hono is a 500, and onError is told of the order', async () => {
    const { handler, errors } = await agentAnd()
    const app = new Hono()
    app.use(async (c, next) => {
      await c.req.raw.text()
      await next()
    })
    app.route('/', millrace(handler))
    expect((await ask(app)).status).toBe(500)
    expect(String(errors[0])).toContain('mount the handler before the middleware that reads')
  })

  test('authorize may give a Response of any realm, and none that cannot be sent', async () => {
    const auth = new Hono().all('*', (c) => c.text('who are you?', 401))
    const authUrl = await listen(auth)
    const once = new Response('no', { status: 401 })
    const answers = [
      () => fetch(authUrl),
      () => new Response('no', { status: 401 }),
      () => once,
      () => once,
      () => new Response('no', { status: 401, headers: { 'x-why': '\u0001' } }),
      () => Response.error(),
    ]
    const statuses: number[] = []
    for (const authorize of answers) {
      const { handler } = await agentAnd({ authorize })
      statuses.push((await ask(new Hono().route('/', millrace(handler)))).status)
    }
    expect(statuses).toEqual([401, 401, 401, 500, 500, 500])
  })
})

test('streamRun streams a run of one’s own', async () => {
  const { agent } = await agentAnd()
  const app = new Hono()
  app.get('/ask', (c) => streamRun(c, agent.run({ messages: [{ role: 'user', content: 'x' }] })))
  expect(await (await app.request('/ask')).text()).toContain('"outcome":"completed"')
  const json = await app.request('/ask', { headers: { accept: 'application/json' } })
  expect(await json.json()).toMatchObject({ text: 'heard 1' })
})

test('behind @hono/node-server a client that leaves ends a run that is to end with it', async () => {
  const { agent } = await agentAnd()
  const run = agent.run({ messages: [{ role: 'user', content: 'x' }] })
  const slow = {
    ...run,
    result: new Promise<never>(() => undefined),
    batches: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }) }),
    interrupt: () => left(),
  }
  let left = (): void => undefined
  const ended = new Promise<void>((resolve) => (left = resolve))
  const app = new Hono()
  app.get('/ask', (c) => streamRun(c, slow, { onDisconnect: 'cancel' }))
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  onTestFinished(() => void server.close())
  if (!server.listening) await new Promise((resolve) => server.once('listening', () => resolve(undefined)))
  const address = server.address()
  const response = await fetch(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/ask`)
  await response.body?.cancel()
  await ended
  expect(response.status).toBe(200)
})

test('what is no handler, no run and no option is refused, with its path', async () => {
  const { agent } = await agentAnd()
  const run = agent.run({ messages: [{ role: 'user', content: 'x' }] })
  for (const [handler, message] of [
    [agent, 'this is an agent: give createHandler({ agent, runs })'],
    [undefined, 'createHandler'],
  ] as const) {
    const error = { code: 'invalid_option', path: 'handler', message: expect.stringContaining(message) }
    // As JavaScript may call it.
    expect(() => Reflect.apply(millrace, undefined, [handler])).toThrow(expect.objectContaining(error))
  }
  const app = new Hono()
  app.get('/agent', (c) => Promise.resolve(Reflect.apply(streamRun, undefined, [c, agent])))
  app.get('/option', (c) => Promise.resolve(Reflect.apply(streamRun, undefined, [c, run, { beat: 1 }])))
  app.get('/context', () => Promise.resolve(Reflect.apply(streamRun, undefined, [run, run])))
  app.onError((error, c) => c.json({ code: Reflect.get(error, 'code'), path: Reflect.get(error, 'path') }))
  expect(await (await app.request('/agent')).json()).toEqual({ code: 'invalid_option', path: 'run' })
  expect(await (await app.request('/option')).json()).toEqual({ code: 'unknown_option', path: 'beat' })
  expect(await (await app.request('/context')).json()).toEqual({ code: 'invalid_option', path: 'c' })
  expect(() => Reflect.apply(honoSession, undefined, [{ name: 'x' }])).toThrow(
    expect.objectContaining({ code: 'unknown_option', path: 'name' }),
  )
  expect(() => honoSession({ key: '' })).toThrow(expect.objectContaining({ code: 'invalid_option', path: 'key' }))
})
