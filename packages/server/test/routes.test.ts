import type { AgentEvent, RunStore } from '@millrace/core'
import { memoryRunStore } from '@millrace/core/memory'
import { text } from '@millrace/testing'
import { deferred, manualClock } from '@millrace/testing/async'
import { expect, test } from 'vitest'
import { problemOf, readEvents, serve, type Served, textOf } from './support/served.ts'

const question = { messages: [{ role: 'user', content: 'Where is order 7?' }] }
const answer = 'One moment. Order 7 is on its way, and it will be there tomorrow.'

async function finishedRun(served: Served): Promise<{ runId: string; events: AgentEvent[] }> {
  const response = await served.post('/runs', question)
  return { runId: response.headers.get('millrace-run-id') ?? '', events: await readEvents(response) }
}

test('a run is started and streamed, in the format that is asked for', async () => {
  const served = await serve()
  for (const headers of [undefined, { accept: 'application/x-ndjson' }]) {
    const response = await served.post('/runs', question, headers)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toContain(headers ? 'application/x-ndjson' : 'text/event-stream')
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform')
    expect(response.headers.get('x-accel-buffering')).toBe('no')
    const events = await readEvents(response)
    expect(textOf(events)).toBe(answer)
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(response.headers.get('millrace-run-id')).toBe(events[0]?.runId)
    expect(events.find(({ type }) => type === 'turn.finished')).toMatchObject({ content: [] })
  }
})

test('a client that accepts JSON waits for the result', async () => {
  const { post } = await serve()
  const response = await post('/runs', question, { accept: 'application/json' })
  expect(await response.json()).toEqual({
    runId: response.headers.get('millrace-run-id'),
    outcome: 'completed',
    stopReason: 'end_turn',
    text: 'Order 7 is on its way, and it will be there tomorrow.',
    turns: 2,
    usage: expect.objectContaining({ output_tokens: expect.any(Number) }),
  })
})

test('the result of a stored run is the one that its starter got', async () => {
  const { post, get } = await serve()
  const first = await post('/runs', question, { accept: 'application/json' })
  const path = `/runs/${first.headers.get('millrace-run-id')}/events`
  expect(await (await get(path, { accept: 'application/json' })).json()).toEqual(await first.json())
})

test.each([
  [undefined, 'text/event-stream'],
  ['*/*', 'text/event-stream'],
  ['text/event-stream', 'text/event-stream'],
  ['application/json, text/plain, */*', 'application/json'],
  ['application/json, text/event-stream', 'text/event-stream'],
  ['application/json;q=0.9, text/event-stream;q=0.2', 'application/json'],
  ['application/x-ndjson', 'application/x-ndjson'],
  ['text/*', 'text/event-stream'],
  ['text/event-stream;q=0, */*', 'application/json'],
])('Accept: %s gives %s', async (accept, type) => {
  const { post } = await serve()
  const response = await post('/runs', question, accept === undefined ? {} : { accept })
  expect(response.headers.get('content-type')).toContain(type)
  await response.body?.cancel()
})

test('a format that there is not is a 406 before anything is run', async () => {
  const { post, claude } = await serve()
  expect(await problemOf(await post('/runs', question, { accept: 'text/html' }))).toMatchObject({
    status: 406,
    code: 'not_acceptable',
  })
  expect(await problemOf(await post('/runs?format=xml', question))).toMatchObject({ status: 406 })
  expect(claude.requests).toHaveLength(0)
})

test('a run can be followed from every event on, by either kind of cursor', async () => {
  const served = await serve()
  const { runId, events } = await finishedRun(served)
  for (let seq = 0; seq < events.length; seq++) {
    const byQuery = await readEvents(await served.get(`/runs/${runId}/events?after=${seq}`))
    const byHeader = await readEvents(
      await served.get(`/runs/${runId}/events?format=ndjson`, { 'last-event-id': String(seq) }),
    )
    expect(byQuery.map((event) => event.seq)).toEqual(events.slice(seq).map((event) => event.seq))
    expect(byHeader.map((event) => event.seq)).toEqual(byQuery.map((event) => event.seq))
    expect(textOf([...events.slice(0, seq), ...byQuery])).toBe(answer)
  }
  const end = await served.get(`/runs/${runId}/events?after=${events.length}`)
  expect(end.status).toBe(204)
})

test('a run under way is followed to its end', async () => {
  const hold = deferred()
  const served = await serve({
    script: async () => {
      await hold.promise
      return { content: [text('at last')] }
    },
  })
  const started = await served.post('/runs', question)
  const runId = started.headers.get('millrace-run-id')
  const starter = readEvents(started)
  await served.claude.nextRequest()
  const followers = [1, 2].map(async () => readEvents(await served.get(`/runs/${runId}/events`)))
  hold.resolve()
  const events = await starter
  for (const follower of followers) expect(await follower).toEqual(events)
})

test('a cursor beyond the last event is 410, and says what it is and what to do', async () => {
  const served = await serve()
  const { runId, events } = await finishedRun(served)
  const ahead = events.length + 1
  const problem = await problemOf(await served.get(`/runs/${runId}/events?after=${ahead}`))
  expect(problem).toMatchObject({ status: 410, code: 'cursor_ahead', title: 'The cursor is ahead of the run' })
  expect(problem['detail']).toContain(`The cursor is ${ahead}, and the run has ${events.length} events`)
  expect(problem['detail']).toContain('Follow from the start, without a cursor')
})

test('a cursor that is no number is 400, and the problem names the header or the query', async () => {
  const served = await serve()
  const { runId } = await finishedRun(served)
  const path = `/runs/${runId}/events`
  const cases = [
    ['after', await served.get(`${path}?after=x`)],
    ['Last-Event-ID', await served.get(path, { 'last-event-id': 'x' })],
    // The query wins.
    ['after', await served.get(`${path}?after=x`, { 'last-event-id': '1' })],
  ] as const
  for (const [source, response] of cases) {
    const problem = await problemOf(response)
    expect(problem).toMatchObject({ status: 400, code: 'invalid_cursor', path: source })
    expect(problem['detail']).toContain(source)
  }
  const none = await problemOf(await served.get(`${path}?after=1&format=ag-ui`))
  expect(none).toMatchObject({ status: 400, code: 'invalid_cursor', path: 'after' })
})

test('a snapshot says how a run stands', async () => {
  const served = await serve()
  const response = await served.post('/runs', { ...question, metadata: { tenant: 'a' } })
  const events = await readEvents(response)
  const runId = events[0]?.runId
  const snapshot = await served.get(`/runs/${runId}`)
  expect(snapshot.headers.get('cache-control')).toBe('no-store')
  expect(await snapshot.json()).toEqual({
    runId,
    createdAt: expect.any(Number),
    closed: true,
    outcome: 'completed',
    first: 1,
    tail: events.length,
    metadata: { tenant: 'a' },
  })
})

test('cancel stops a run and keeps what was said', async () => {
  const served = await serve({
    script: [{ content: [text('Hello, and then nothing more.')], pace: { eventDelay: 60_000 } }],
  })
  const response = await served.post('/runs', question)
  const runId = response.headers.get('millrace-run-id')
  const events = readEvents(response)
  await served.claude.nextRequest()
  const cancelled = await served.post(`/runs/${runId}/cancel`, { reason: 'enough' })
  expect(await cancelled.json()).toEqual({ runId, cancelled: true })
  expect((await events).at(-1)).toMatchObject({ type: 'run.finished', outcome: 'interrupted' })
  expect(await (await served.post(`/runs/${runId}/cancel`)).json()).toEqual({ runId, cancelled: false })
  expect(await (await served.get(`/runs/${runId}`)).json()).toMatchObject({ closed: true, cancelled: 'enough' })
})

test('a run that another instance started is followed and cancelled here', async () => {
  const first = await serve({
    script: [{ content: [text('slow')] }],
    claude: { pace: { eventDelay: 60_000 } },
  })
  const second = await serve({ runs: first.runs })
  const response = await first.post('/runs', question)
  const runId = response.headers.get('millrace-run-id')
  const events = readEvents(response)
  await first.claude.nextRequest()
  const followed = await second.get(`/runs/${runId}/events`)
  expect(await (await second.post(`/runs/${runId}/cancel`)).json()).toEqual({ runId, cancelled: true })
  // The owner learns of it with its next append or renewal of the lease; here its own interrupt stands in for that.
  await first.post(`/runs/${runId}/cancel`)
  expect(await readEvents(followed)).toEqual(await events)
})

test('asking twice under one run id runs once', async () => {
  const served = await serve()
  const body = { ...question, runId: crypto.randomUUID() }
  const first = await readEvents(await served.post('/runs', body))
  const again = await readEvents(await served.post('/runs', body))
  expect(again).toEqual(first)
  expect(served.claude.requests).toHaveLength(2)
})

test('two requests at once under one run id run once', async () => {
  const served = await serve()
  const body = { ...question, runId: crypto.randomUUID() }
  const responses = await Promise.all([served.post('/runs', body), served.post('/runs', body)])
  const texts = await Promise.all(responses.map((response) => response.text()))
  expect(responses[0]?.status).toBe(200)
  // Whoever is told that there is a run is told of the one that was started.
  for (const [index, { status }] of responses.entries()) {
    expect(texts[index]).toContain(status === 200 ? '"outcome":"completed"' : 'has just begun')
  }
  expect(served.claude.requests).toHaveLength(2)
})

test.each([
  ['GET', '/', 404, 'not_found'],
  ['GET', '/runs/none', 404, 'not_found'],
  ['GET', '/runs/none/events', 404, 'not_found'],
  ['POST', '/runs/none/cancel', 404, 'not_found'],
  ['GET', '/runs/%E0%A4%A/events', 404, 'not_found'],
  ['GET', `/runs/${'x'.repeat(300)}`, 404, 'not_found'],
  ['DELETE', '/runs/none', 405, 'method_not_allowed'],
  ['POST', '/runs/none/events', 405, 'method_not_allowed'],
])('%s %s is %i', async (method, path, status, code) => {
  const { handler } = await serve()
  const response = await handler.fetch(new Request(`http://millrace.test${path}`, { method }))
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(await problemOf(response)).toMatchObject({ type: 'about:blank', status, code })
  expect(response.status).toBe(status)
  expect(response.headers.has('allow')).toBe(status === 405)
})

test.each([
  ['{', 400, 'invalid_body', undefined],
  ['[]', 400, 'invalid_body', undefined],
  ['{}', 400, 'invalid_body', 'messages'],
  [{ messages: [] }, 400, 'invalid_body', 'messages'],
  [{ messages: [{ role: 'user' }] }, 400, 'invalid_body', 'messages[0]'],
  [{ messages: [{ role: 'assistant', content: 'x' }] }, 400, 'invalid_body', 'messages[0].role'],
  [{ input: 'x', mode: 'fast' }, 400, 'invalid_body', 'mode'],
  [{ input: 'x', runId: '1' }, 400, 'invalid_body', 'runId'],
  [{ input: 'x', stream: true }, 400, 'invalid_body', 'stream'],
  [`${'['.repeat(200)}${']'.repeat(200)}`, 400, 'invalid_body', undefined],
  ['x'.repeat(2_000_000), 413, 'body_too_large', undefined],
])('the body %# is refused', async (body, status, code, path) => {
  const { post, claude, handler, errors } = await serve()
  const problem = await problemOf(await post('/runs', body))
  expect(problem).toMatchObject({ status, code })
  expect(problem['path']).toBe(path)
  expect(claude.requests).toHaveLength(0)
  expect(handler.openRuns).toBe(0)
  expect(errors).toEqual([])
})

test('a body that is no JSON by its type is 415, so that no form of another page can post one', async () => {
  const { post } = await serve()
  const response = await post('/runs', JSON.stringify(question), { 'content-type': 'text/plain' })
  expect(await problemOf(response)).toMatchObject({ status: 415, code: 'unsupported_media_type' })
})

test.each([
  ['an empty form', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
  ['plain text', { 'content-type': 'text/plain' }, 415],
  ['a beacon of another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 415],
  ['a page of another subdomain', { 'sec-fetch-site': 'same-site' }, 415],
  ['a page of an old browser', { origin: 'https://evil.example' }, 415],
  ['a request with cookies and nothing else', { cookie: 'sid=1' }, 415],
  [
    'a page of the service itself',
    { 'sec-fetch-site': 'same-origin', origin: 'http://millrace.test', cookie: 'sid=1' },
    200,
  ],
  [
    'JSON of another site, which CORS has let pass',
    { 'content-type': 'application/json', origin: 'https://a.example' },
    200,
  ],
  ['a program', {}, 200],
])('cancel by %s', async (_name, headers, status) => {
  const served = await serve()
  const { runId } = await finishedRun(served)
  const form = 'content-type' in headers && status !== 200 ? '' : undefined
  const response = await served.post(`/runs/${runId}/cancel`, form, { ...headers })
  expect(response.status).toBe(status)
  expect(await problemOf(response)).toMatchObject(status === 200 ? { runId } : { code: 'unsupported_media_type' })
})

test.each([
  [false, 'stream', 'buffered', 'flag'],
  [false, 'auto', 'buffered', 'flag'],
  [false, 'buffered', 'buffered', 'explicit'],
  [true, 'stream', 'stream', 'explicit'],
])('with allowMode %s and the flag off, mode "%s" gives %s', async (allowMode, asked, mode, reason) => {
  const flags = { getBooleanDetails: async (flagKey: string) => ({ value: false, flagKey }) }
  const { post } = await serve({ agent: { flags }, handler: { allowMode } })
  const [started] = await readEvents(await post('/runs', { ...question, mode: asked }))
  expect(started).toMatchObject({ decision: { mode, reason } })
})

test('the kill switch wins over a mode that is allowed', async () => {
  const flags = { getBooleanDetails: async (flagKey: string) => ({ value: true, flagKey }) }
  const { post } = await serve({ agent: { flags }, handler: { allowMode: true } })
  const [started] = await readEvents(await post('/runs', { ...question, mode: 'stream' }))
  expect(started).toMatchObject({ decision: { mode: 'buffered', reason: 'killed' } })
})

test('HEAD says what GET would, without a body', async () => {
  const served = await serve()
  const { runId } = await finishedRun(served)
  for (const path of [`/runs/${runId}`, `/runs/${runId}/events`]) {
    const response = await served.handler.fetch(new Request(`http://millrace.test${path}`, { method: 'HEAD' }))
    expect(response.status).toBe(200)
    expect(response.body).toBeNull()
  }
})

test('raw content is given out where the option allows it', async () => {
  const closed = await serve()
  expect(await problemOf(await closed.post('/runs?content=raw', question))).toMatchObject({ status: 403 })
  const open = await serve({ handler: { rawContent: true } })
  const events = await readEvents(await open.post('/runs?content=raw', question))
  expect(events.find(({ type }) => type === 'turn.finished')).toMatchObject({
    content: [{ type: 'thinking', signature: expect.any(String) }, { type: 'text' }, { type: 'tool_use' }],
  })
  const plain = await readEvents(await open.post('/runs', question))
  expect(JSON.stringify(plain)).not.toContain('signature')
  const result = await (await open.post('/runs?content=raw&format=json', question)).json()
  expect(result.newMessages).toHaveLength(3)
})

test('a base path stands in front of every route', async () => {
  const { post, get } = await serve({ handler: { basePath: '/api/agent' } })
  expect((await readEvents(await post('/api/agent/runs', question))).length).toBeGreaterThan(1)
  expect((await get('/runs/none')).status).toBe(404)
})

test('an agent that writes its runs elsewhere is reported, once', async () => {
  const { post, errors } = await serve({ handler: { runs: memoryRunStore() } })
  await readEvents(await post('/runs', question))
  await readEvents(await post('/runs', question))
  expect(errors).toMatchObject([{ code: 'invalid_option', path: 'runs' }])
})

test('who comes back before the store has what was seen waits for it, and gets 410 where it never comes', async () => {
  const clock = manualClock()
  const store = memoryRunStore()
  const lease = await store.create({ runId: 'r1', messages: [], createdAt: 0 }, 1e9)
  const fence = lease.status === 'acquired' ? lease.fence : 0
  const event = (seq: number): AgentEvent => {
    return { type: 'text.delta', seq, runId: 'r1', at: 0, turn: 1, attempt: 1, block: 0, text: 'x' }
  }
  await store.append('r1', fence, [event(1)])
  const { get } = await serve({ runs: store, handler: { runtime: { clock } } })
  const late = get('/runs/r1/events?after=2')
  await clock.timer(25)
  await store.append('r1', fence, [event(2), event(3)], { outcome: 'completed' })
  clock.advance(25)
  expect((await readEvents(await late)).map(({ seq }) => seq)).toEqual([3])

  await store.create({ runId: 'r2', messages: [], createdAt: 0 }, 1e9)
  const lost = get('/runs/r2/events?after=2')
  for (let waited = 0; waited < 1_000; waited += 25) {
    await clock.timer(25)
    clock.advance(25)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await lost).status).toBe(410)
})

test('who comes back before the run is in the store finds it', async () => {
  const slow = memoryRunStore()
  const hold = deferred()
  const runs: RunStore = {
    ...slow,
    async create(...args) {
      await hold.promise
      return slow.create(...args)
    },
  }
  const { post, get } = await serve({ runs })
  const started = await post('/runs', question)
  const events = readEvents(started)
  const runId = started.headers.get('millrace-run-id')
  const found = get(`/runs/${runId}/events`)
  const cancelled = post(`/runs/${crypto.randomUUID()}/cancel`)
  expect((await cancelled).status).toBe(404)
  hold.resolve()
  expect(await readEvents(await found)).toEqual(await events)
})
