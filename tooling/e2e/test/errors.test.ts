import type { RunStore } from '@millrace/core'
import { memoryRunStore } from '@millrace/core/memory'
import { isProblem } from '@millrace/wire'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { adapters, type Mounted } from './support/adapters.ts'
import { question, serveAgent, type Served, type ServeOptions } from './support/agents.ts'

const body = { messages: [question] }
const identify = (request: Request): string | undefined => request.headers.get('x-user') ?? undefined

describe.each(adapters)('$name', (adapter) => {
  async function mount(options?: ServeOptions): Promise<Served & Mounted> {
    const served = await serveAgent(options)
    return { ...served, ...(await adapter.mount(served.handler)) }
  }

  function post({ fetch, url }: Mounted, path: string, given: unknown, headers = {}): Promise<Response> {
    return fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof given === 'string' ? given : JSON.stringify(given),
    })
  }

  async function expectProblem(response: Response, status: number, code: string): Promise<Response> {
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    const problem: unknown = await response.json()
    expect(isProblem(problem)).toBe(true)
    expect(problem).toMatchObject({ type: 'about:blank', status, code })
    expect(JSON.stringify(problem)).not.toMatch(/sk-secret|node_modules|\.ts:|at \w+ \(/)
    return response
  }

  async function started(app: Mounted, headers = {}): Promise<{ runId: string; response: Response }> {
    const response = await post(app, '/runs', body, headers)
    return { runId: response.headers.get('millrace-run-id') ?? '', response }
  }

  test('400, 404, 405, 406, 413, 415', async () => {
    const app = await mount()
    await expectProblem(await post(app, '/runs', '{"messages":'), 400, 'invalid_body')
    await expectProblem(await post(app, '/runs', { messages: [] }), 400, 'invalid_body')
    await expectProblem(await post(app, '/ui-message-stream', {}), 400, 'invalid_body')
    await expectProblem(await post(app, '/ag-ui', { threadId: 't' }), 400, 'invalid_body')
    await expectProblem(await app.fetch(`${app.url}/runs/${crypto.randomUUID()}`), 404, 'not_found')
    await expectProblem(await app.fetch(`${app.url}/runs/${crypto.randomUUID()}/events`), 404, 'not_found')
    await expectProblem(await post(app, `/runs/${crypto.randomUUID()}/cancel`, {}), 404, 'not_found')
    await expectProblem(await app.fetch(`${app.url}/runs`, { method: 'PUT' }), 405, 'method_not_allowed')
    await expectProblem(await post(app, '/runs', body, { accept: 'image/png' }), 406, 'not_acceptable')
    await expectProblem(await post(app, '/runs', ' '.repeat(1_200_000)), 413, 'body_too_large')
    await expectProblem(await post(app, '/runs', body, { 'content-type': 'text/plain' }), 415, 'unsupported_media_type')
    expect(app.claude.requests).toEqual([])
    expect(app.errors).toEqual([])
  })

  test('404 for the run of another user, exactly as for none', async () => {
    const app = await mount({ handler: { identify } })
    const { runId, response } = await started(app, { 'x-user': 'alice' })
    await response.text()
    const bob = { headers: { 'x-user': 'bob' } }
    const none = await (await app.fetch(`${app.url}/runs/none`, bob)).text()
    expect(await (await app.fetch(`${app.url}/runs/${runId}`, bob)).text()).toBe(none)
    await expectProblem(await app.fetch(`${app.url}/runs/${runId}/events`, bob), 404, 'not_found')
    await expectProblem(await post(app, `/runs/${runId}/cancel`, {}, bob.headers), 404, 'not_found')
  })

  test('410 for a cursor that has expired', async () => {
    let now = 1_780_000_000_000
    const clock = { now: () => now, setTimer: () => () => undefined }
    const app = await mount({ handler: { runs: memoryRunStore({ clock, retention: { eventsMs: 1_000 } }) } })
    const { runId, response } = await started(app)
    await response.text()
    now += 2_000
    await expectProblem(await app.fetch(`${app.url}/runs/${runId}/events?after=3`), 410, 'events_gone')
  })

  test('429 with Retry-After where there are too many runs', async () => {
    const app = await mount({ handler: { limits: { runs: 1 } }, claude: { pace: { eventDelay: 60_000 } } })
    const { runId, response } = await started(app)
    const refused = await expectProblem(await post(app, '/runs', body), 429, 'too_many_runs')
    expect(refused.headers.get('retry-after')).toBe('5')
    await post(app, `/runs/${runId}/cancel`, {})
    await response.text()
  })

  test('503 with Retry-After while draining, and the open run ends typed', async () => {
    const app = await mount({ claude: { pace: { eventDelay: 60_000 } } })
    const { response } = await started(app)
    const text = response.text()
    const drained = app.handler.drain(50)
    const refused = await expectProblem(await post(app, '/runs', body), 503, 'shutting_down')
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await drained).toEqual({ finished: 0, interrupted: 1 })
    expect(await text).toContain('"outcome":"interrupted"')
  })

  test('503 where the store is away, which is told to onError alone', async () => {
    const away: RunStore = { ...memoryRunStore(), snapshot: () => Promise.reject(new Error('redis://:pw@10.0.0.1')) }
    const app = await mount({ handler: { runs: away } })
    await expectProblem(await app.fetch(`${app.url}/runs/x`), 503, 'store_unavailable')
    expect(app.errors).toEqual([new Error('redis://:pw@10.0.0.1')])
  })

  test('an error of the model API leaks nothing', async () => {
    const app = await mount({ claude: { faults: [{ kind: 'status', status: 401 }] } })
    const { response } = await started(app)
    const text = await response.text()
    expect(text).toContain('"outcome":"failed"')
    expect(text).not.toMatch(/sk-secret|node_modules|\.ts:|127\.0\.0\.1|leak/i)
  })

  test('prototype keys in a body are inert', async () => {
    const app = await mount()
    const hostile = '"__proto__":{"mode":"buffered","polluted":1},"constructor":{"prototype":{"polluted":1}}'
    const response = await post(app, '/runs', `{"input":"x","metadata":{${hostile}}}`)
    expect(await response.text()).toContain('"mode":"stream"')
    await expectProblem(await post(app, '/runs', `{"input":"x",${hostile}}`), 400, 'invalid_body')
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
    await expectProblem(await post(app, '/runs', '{"__proto__":{"input":"x"}}'), 400, 'invalid_body')
  })

  test('run ids cannot be guessed', async () => {
    const app = await mount()
    const ids = new Set<string>()
    for (let run = 0; run < 20; run++) {
      const { runId, response } = await started(app)
      await response.text()
      expect(runId).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
      ids.add(runId)
    }
    expect(ids.size).toBe(20)
  })

  test('a flood of requests is bounded, and what is let in is served', async () => {
    const app = await mount({ handler: { limits: { runs: 10 } } })
    const responses = await Promise.all(Array.from({ length: 200 }, () => post(app, '/runs', body)))
    const texts = await Promise.all(responses.map((response) => response.text()))
    const served = texts.filter((text) => text.includes('"outcome":"completed"'))
    expect(served.length).toBeGreaterThanOrEqual(10)
    expect(responses.filter(({ status }) => status === 429).length).toBe(200 - served.length)
    expect(app.handler.openRuns).toBe(0)
    expect((await post(app, '/runs', body)).status).toBe(200)
  })
})

describe.each(adapters.filter(({ isNetworked }) => isNetworked))('on the socket of $name', (adapter) => {
  async function raw(url: string, lines: readonly string[], body = ''): Promise<string> {
    const { port, pathname } = new URL(url)
    const socket = connect(Number(port), '127.0.0.1')
    const [request = '', ...headers] = lines
    socket.write([request.replace('$', pathname === '/' ? '' : pathname), 'host: x', ...headers, '', body].join('\r\n'))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString()
    })
    socket.on('error', () => undefined)
    await once(socket, 'close')
    return text
  }

  test('a body that trickles in is given up', async () => {
    const { handler } = await serveAgent({ handler: { bodyTimeout: 50 } })
    const { url } = await adapter.mount(handler)
    const headers = ['POST $/runs HTTP/1.1', 'content-type: application/json', 'content-length: 100']
    const text = await raw(url, headers, '{"input":')
    expect(text).toContain('408')
    expect(handler.openRuns).toBe(0)
  })

  test('Expect: 100-continue is answered', async () => {
    const { handler } = await serveAgent()
    const { url } = await adapter.mount(handler)
    const lines = [
      'POST $/runs HTTP/1.1',
      'expect: 100-continue',
      'connection: close',
      'content-type: application/json',
    ]
    const text = await raw(url, [...lines, 'content-length: 13'], '{"input":"x"}')
    expect(text).toContain('100 Continue')
    expect(text).toContain('run.finished')
  })

  test.each([
    ['GET //evil.test/runs HTTP/1.1', '404'],
    ['GET $/runs/%00 HTTP/1.1', '404'],
    ['OPTIONS * HTTP/1.1', '40'],
    ['TRACE $/runs HTTP/1.1', '40'],
  ])('%s is %s', async (request, status) => {
    const { handler } = await serveAgent()
    const { url } = await adapter.mount(handler)
    expect(await raw(url, [request, 'connection: close'])).toContain(`HTTP/1.1 ${status}`)
  })

  test('large headers are refused by the server, or reach the handler', async () => {
    const { handler } = await serveAgent()
    const { url } = await adapter.mount(handler)
    expect(
      await raw(url, ['GET $/runs/none HTTP/1.1', `x-large: ${'x'.repeat(12_000)}`, 'connection: close']),
    ).toContain('HTTP/1.1 404')
    expect(
      await raw(url, ['GET $/runs/none HTTP/1.1', `x-large: ${'x'.repeat(40_000)}`, 'connection: close']),
    ).toContain('HTTP/1.1 431')
  })
})
