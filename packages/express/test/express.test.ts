import Anthropic from '@anthropic-ai/sdk'
import { createAgent, type LocalAgent } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { nodeExchange } from '@millrace/node'
import { createHandler, type HandlerOptions } from '@millrace/server'
import { startClaude, text } from '@millrace/testing'
import express5 from 'express'
import session from 'express-session'
import express4 from 'express4'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { expressSession, millrace, streamRun } from '../src/index.ts'

async function listen(app: RequestListener): Promise<string> {
  const server = createServer(app).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server, 'listening')
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
}

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

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

/** The status of the answer to a request that fetch would not send. */
async function rawStatus(port: number, head: string): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  socket.end(`${head}\r\nconnection: close\r\n\r\n`)
  const [answer] = await once(socket.setEncoding('latin1'), 'data')
  return Number(String(answer).split(' ', 2)[1])
}

test('what is no handler is refused when the app is made, with what to give instead', async () => {
  const { agent } = await agentAnd()
  const refused: [unknown, string][] = [
    [agent, 'this is an agent: give createHandler({ agent, runs })'],
    [undefined, 'createHandler'],
    [{}, 'createHandler'],
    [() => undefined, 'createHandler'],
  ]
  for (const [handler, message] of refused) {
    const error = { code: 'invalid_option', path: 'handler', message: expect.stringContaining(message) }
    // As JavaScript may call it.
    expect(() => Reflect.apply(millrace, undefined, [handler])).toThrow(expect.objectContaining(error))
  }
})

test('wrong options and arguments are refused with their path', async () => {
  const { agent } = await agentAnd()
  const run = () => agent.run({ messages: [{ role: 'user', content: 'x' }] })
  const cases: [args: readonly unknown[], code: string, path: string][] = [
    [[{}, run()], 'invalid_option', 'res'],
    [[run(), {}], 'invalid_option', 'run'],
    [[undefined, agent], 'invalid_option', 'run'],
    [[undefined, run().result], 'invalid_option', 'run'],
  ]
  for (const [args, code, path] of cases) {
    await expect(Reflect.apply(streamRun, undefined, args)).rejects.toMatchObject({ code, path })
  }
  expect(() => Reflect.apply(expressSession, undefined, [{ name: 'x' }])).toThrow(
    expect.objectContaining({ code: 'unknown_option', path: 'name' }),
  )
  expect(() => expressSession({ key: '' })).toThrow(expect.objectContaining({ code: 'invalid_option', path: 'key' }))
})

/** The two versions type the same functions in their own words. */
function isExpress(value: unknown): value is typeof express5 {
  return typeof value === 'function'
}

const versions: readonly unknown[] = [express5, express4]

describe.each(
  versions.filter(isExpress).map((express, index) => [['Express 5', 'Express 4'][index], express] as const),
)('%s', (_name, express) => {
  test('what is not the handler’s goes on to the app', async () => {
    const { handler } = await agentAnd()
    const app = express()
    app.use(millrace(handler))
    app.get('/hello', (_req, res) => void res.send('hello'))
    const url = await listen(app)
    expect(await (await fetch(`${url}/hello`)).text()).toBe('hello')
    expect((await fetch(`${url}/runs/none`)).headers.get('content-type')).toBe('application/problem+json')
    expect((await fetch(`${url}/elsewhere`)).status).toBe(404)
    expect(await (await post(`${url}/runs?x=1`, { input: 'x' })).json()).toMatchObject({ text: 'heard 1' })
  })

  test('a body parser may stand before it', async () => {
    const { handler } = await agentAnd()
    const app = express()
    app.use(express.json())
    app.use('/api', millrace(handler))
    const url = await listen(app)
    expect(await (await post(`${url}/api/runs`, { input: 'x' })).json()).toMatchObject({ text: 'heard 1' })
    expect((await post(`${url}/api/runs`, { nothing: 1 })).status).toBe(400)
  })

  test.each(['raw', 'text'] as const)('%s() for JSON may stand before it', async (parser) => {
    const { handler } = await agentAnd()
    const app = express()
    app.use(express[parser]({ type: 'application/json' }))
    app.use('/api', millrace(handler))
    const url = await listen(app)
    expect(await (await post(`${url}/api/runs`, { input: 'x' })).json()).toMatchObject({ text: 'heard 1' })
    expect((await post(`${url}/api/runs`, { nothing: 1 })).status).toBe(400)
  })

  test('a body that middleware has read and not kept is a 500, and onError is told of the order', async () => {
    const { handler, errors } = await agentAnd()
    const app = express()
    app.use((req, _res, next) => {
      req.resume().once('end', () => next())
    })
    app.use(millrace(handler))
    expect((await post(`${await listen(app)}/runs`, { input: 'x' })).status).toBe(500)
    expect(String(errors[0])).toContain('mount the handler before the middleware that reads bodies')
  })

  test('what cannot be sent of an answer of authorize is a 500, and the process lives', async () => {
    const once = new Response('no', { status: 401 })
    const answers = [once, once, new Response('no', { status: 401, headers: { 'x-why': '\u0001' } }), Response.error()]
    const { handler } = await agentAnd({ authorize: () => answers.shift() ?? false })
    const app = express()
    app.use(millrace(handler))
    const url = await listen(app)
    const statuses: number[] = []
    while (answers.length > 0) statuses.push((await fetch(`${url}/runs/none`)).status)
    expect(statuses).toEqual([401, 500, 500, 500])
  })

  test('only the request target says what the path is', async () => {
    const actions: string[] = []
    const { handler } = await agentAnd({ authorize: (_request, { action }) => actions.push(action) > 0 })
    const app = express()
    app.use(millrace(handler))
    const url = await listen(app)
    const { port } = new URL(url)
    const ask = (target: string, host: string) => rawStatus(Number(port), `GET ${target} HTTP/1.1\r\nhost: ${host}`)
    expect(await ask('/elsewhere', 'h/runs/none?')).toBe(404)
    expect(await ask('/runs/none', 'h/runs/none/cancel?')).toBe(400)
    expect(await ask('http://h/runs/none', 'h')).toBe(404)
    expect(actions).toEqual(['snapshot'])
  })

  test('express-session holds a random id, and the conversation goes on under it', async () => {
    const { handler, errors } = await agentAnd({ sessionId: expressSession() })
    const app = express()
    app.use(session({ secret: 's', resave: false, saveUninitialized: false }))
    app.use('/api', millrace(handler))
    const ids = new Set<unknown>()
    app.get('/session', (req, res) => {
      ids.add(Reflect.get(req.session, 'millrace'))
      res.json({ sessionID: req.sessionID })
    })
    const url = await listen(app)
    const first = await post(`${url}/api/runs`, { input: 'one' }, { accept: 'text/event-stream' })
    const cookie = first.headers.get('set-cookie')?.split(';', 1).join('') ?? ''
    expect(cookie).toMatch(/^connect\.sid=/)
    const events = await first.text()
    const { sessionID } = await (await fetch(`${url}/session`, { headers: { cookie } })).json()
    expect(events).not.toContain(sessionID)
    expect(await (await post(`${url}/api/runs`, { input: 'two' }, { cookie })).json()).toMatchObject({
      text: 'heard 2',
    })
    expect(await (await post(`${url}/api/runs`, { input: 'one' })).json()).toMatchObject({ text: 'heard 1' })
    await fetch(`${url}/session`, { headers: { cookie } })
    expect(ids.size).toBe(1)
    expect(errors).toEqual([])
  })

  test('the session is saved before the run streams: the next request finds the same conversation', async () => {
    const { handler } = await agentAnd({ sessionId: expressSession({ key: 'chat' }) })
    const app = express()
    app.use(session({ secret: 's', resave: false, saveUninitialized: false }))
    app.use(millrace(handler))
    const url = await listen(app)
    const first = await post(`${url}/runs`, { input: 'one' }, { accept: 'text/event-stream' })
    const cookie = first.headers.get('set-cookie')?.split(';', 1).join('') ?? ''
    const busy = await post(`${url}/runs`, { input: 'two' }, { cookie })
    expect([200, 409]).toContain(busy.status)
    await first.text()
  })

  test('without express-session the option says what is missing', async () => {
    const { handler, errors } = await agentAnd({ sessionId: expressSession() })
    const app = express()
    app.use(millrace(handler))
    expect((await post(`${await listen(app)}/runs`, { input: 'x' })).status).toBe(500)
    expect(String(errors[0])).toContain('express-session, mounted before the handler')
  })

  test('identify finds what other middleware has put on req', async () => {
    const identify = (request: Request): string => String(Reflect.get(nodeExchange(request).req, 'user'))
    const { handler } = await agentAnd({ identify })
    const app = express()
    app.use((req, _res, next) => {
      Object.assign(req, { user: req.get('x-user') })
      next()
    })
    app.use(millrace(handler))
    const url = await listen(app)
    const run = await post(`${url}/runs`, { input: 'x' }, { 'x-user': 'alice' })
    const path = `${url}/runs/${run.headers.get('millrace-run-id')}`
    expect((await fetch(path, { headers: { 'x-user': 'alice' } })).status).toBe(200)
    expect((await fetch(path, { headers: { 'x-user': 'bob' } })).status).toBe(404)
  })

  test('streamRun streams a run of one’s own', async () => {
    const { agent } = await agentAnd()
    const app = express()
    app.get('/ask', (_req, res) => void streamRun(res, agent.run({ messages: [{ role: 'user', content: 'x' }] })))
    const url = await listen(app)
    expect(await (await fetch(`${url}/ask`)).text()).toContain('"outcome":"completed"')
    const json = await fetch(`${url}/ask`, { headers: { accept: 'application/json' } })
    expect(await json.json()).toMatchObject({ text: 'heard 1' })
  })
})
