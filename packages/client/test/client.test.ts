import { type AgentEvent, checksum, type EventBody, type Runtime } from '@millrace/core'
import { collect, macrotask, manualClock } from '@millrace/testing/async'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ClientOptions, createClient, emptyView, reduceEvents, remoteAgent } from '../src/index.ts'
import { arbitraryRun } from './arbitrary-run.ts'
import { type Answer, scriptedFetch } from './scripted-fetch.ts'

const place = { turn: 1, attempt: 1, block: 0 }

function numbered(...bodies: EventBody[]): AgentEvent[] {
  return bodies.map((body, index) => ({ ...body, seq: index + 1, runId: 'run', at: 1000 }))
}

const talk = numbered(
  { type: 'run.started', decision: { mode: 'stream', arm: 'streaming', reason: 'explicit', tools: {} } },
  { type: 'turn.started', turn: 1, attempt: 1, mode: 'stream' },
  { type: 'block.started', ...place, kind: 'text' },
  { type: 'text.delta', ...place, text: 'Grüße, ' },
  { type: 'text.delta', ...place, text: 'Millrace \u{1f600}' },
  { type: 'turn.retracted', turn: 1, attempt: 2, fromBlock: 0, fromOffset: 7, reason: 'truncated' },
  { type: 'text.delta', ...place, attempt: 2, text: 'Welt' },
  { type: 'block.finished', ...place, attempt: 2, kind: 'text', length: 11, checksum: checksum('Grüße, Welt') },
  { type: 'run.finished', outcome: 'completed', stopReason: 'end_turn', usage: { input_tokens: 1, output_tokens: 1 } },
)

/** Time passes by itself as soon as somebody waits for it. */
function impatient(): { runtime: Runtime; waits: number[] } {
  const clock = manualClock()
  const waits: number[] = []
  return {
    waits,
    runtime: {
      random: () => 1,
      newId: () => 'run',
      clock: {
        now: () => clock.now(),
        setTimer(fire, ms) {
          if (ms === idleTimeoutMs || ms === requestTimeoutMs) return clock.setTimer(fire, ms)
          waits.push(ms)
          queueMicrotask(fire)
          return () => undefined
        },
      },
    },
  }
}

const idleTimeoutMs = 45_000
// No wait before a reconnect has this length.
const requestTimeoutMs = 31_000

function connect(events: readonly AgentEvent[], script: readonly Answer[] = [], options: Partial<ClientOptions> = {}) {
  const server = scriptedFetch(events, script)
  const { runtime, waits } = impatient()
  const client = createClient({
    url: 'http://millrace.test/agent/',
    fetch: server.fetch,
    runtime,
    requestTimeoutMs,
    ...options,
  })
  return { server, client, waits }
}

describe('start', () => {
  it('sends the body with a fresh run id, and yields every event', async () => {
    const { server, client } = connect(talk, [], { headers: () => Promise.resolve({ authorization: 'Bearer x' }) })
    const stream = client.start({ input: 'hi', sessionId: 's' })
    expect([stream.runId, server.requests.length]).toEqual(['run', 0])
    expect((await collect(stream)).map(({ seq }) => seq)).toEqual(talk.map(({ seq }) => seq))
    expect(stream.view).toEqual(reduceEvents(emptyView, talk))
    const [request] = server.requests
    expect(request?.url.href).toBe('http://millrace.test/agent/runs')
    expect(request).toMatchObject({ method: 'POST', body: { input: 'hi', sessionId: 's', runId: 'run' } })
    expect(request?.headers.get('authorization')).toBe('Bearer x')
    expect([server.requests.length, server.openBodies()]).toEqual([1, 0])
  })

  it('repeats a start whose answer was lost, with the same run id', async () => {
    const { server, client } = connect(talk, [{ refused: true }, { status: 503 }, { cut: 0, breaks: true }])
    await collect(client.start({ input: 'hi' }))
    expect(server.requests.map(({ method, url }) => `${method} ${url.pathname}${url.search}`)).toEqual([
      'POST /agent/runs',
      'POST /agent/runs',
      'POST /agent/runs',
      'GET /agent/runs/run/events?after=0',
    ])
    expect(server.requests.slice(0, 3).map(({ body }) => body)).toEqual([
      { input: 'hi', runId: 'run' },
      { input: 'hi', runId: 'run' },
      { input: 'hi', runId: 'run' },
    ])
  })

  it('asks for raw content when told to', async () => {
    const { server, client } = connect(talk, [{ cut: 200 }], { rawContent: true })
    await collect(client.start({ input: 'hi' }))
    expect(server.requests.map(({ url }) => url.search)).toEqual([
      '?content=raw',
      expect.stringMatching(/^\?content=raw&after=\d+$/),
    ])
  })
})

describe.each(['sse', 'ndjson'] as const)('following by %s', (format) => {
  it('yields every event once and the same view when the connection is cut at any byte', async () => {
    const size = (await readAllBytes(format)) + 1
    for (let cut = 0; cut < size; cut++) {
      const { client, server } = connect(talk, [{ cut, breaks: cut % 2 === 0 }], { format })
      const stream = client.follow('run')
      const events = await collect(stream)
      expect(events.map(({ seq }) => seq)).toEqual(talk.map(({ seq }) => seq))
      expect(stream.view).toEqual(reduceEvents(emptyView, talk))
      expect(server.openBodies()).toBe(0)
    }
  })

  it('reaches the same view from any cursor, given as a view or a seq', async () => {
    for (let index = 0; index <= talk.length; index++) {
      const { client } = connect(talk, [], { format })
      const stream = client.follow('run', { view: reduceEvents(emptyView, talk.slice(0, index)) })
      expect((await collect(stream)).length).toBe(talk.length - index)
      expect(stream.view).toEqual(reduceEvents(emptyView, talk))
      const plain = connect(talk, [], { format }).client.follow('run', { after: Math.min(index, 8) })
      expect((await collect(plain)).map(({ seq }) => seq)).toEqual(talk.slice(Math.min(index, 8)).map(({ seq }) => seq))
    }
  })

  it('reaches the same view of any run, cut any number of times', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryRun, fc.array(fc.nat({ max: 2000 }), { maxLength: 5 }), async ({ events }, cuts) => {
        const { client } = connect(
          events,
          cuts.map((cut) => ({ cut })),
          { format },
        )
        const stream = client.follow('run')
        await collect(stream)
        expect(stream.view).toEqual(reduceEvents(emptyView, events))
      }),
      { numRuns: 50 },
    )
  })
})

async function readAllBytes(format: 'sse' | 'ndjson'): Promise<number> {
  const accept = format === 'sse' ? 'text/event-stream' : 'application/x-ndjson'
  const response = await scriptedFetch(talk).fetch('http://millrace.test/runs/run/events', { headers: { accept } })
  return (await response.bytes()).length
}

describe('reconnecting', () => {
  it('doubles its delay from the hint of the server, and stops after the allowed attempts', async () => {
    const { client, waits } = connect(
      talk,
      Array.from({ length: 9 }, () => ({ refused: true })),
      {
        reconnect: { minDelayMs: 100, maxDelayMs: 1000, attempts: 6 },
      },
    )
    await expect(collect(client.follow('run'))).rejects.toMatchObject({ code: 'connection_failed', retryable: true })
    expect(waits).toEqual([100, 200, 400, 800, 1000, 1000])
    const hinted = connect(talk, [{ cut: 40 }, { refused: true }])
    await collect(hinted.client.follow('run'))
    expect(hinted.waits).toEqual([100, 200])
  })

  it('honours Retry-After, in seconds or as a date, up to the longest delay', async () => {
    const date = new Date(1_780_000_000_000 + 7000).toUTCString()
    const busy = (retryAfter: string): Answer => ({ status: 429, headers: { 'retry-after': retryAfter } })
    const { client, waits } = connect(talk, [busy('3'), busy(date), busy('600'), busy('soon')])
    await collect(client.follow('run'))
    expect(waits).toEqual([3000, 7000, 30_000, 4000])
  })

  it('resets the count of failures with each event', async () => {
    const script = talk.map((_event, index) => ({ events: talk.slice(0, index + 1) }))
    const { client, server } = connect(talk, script, { reconnect: { attempts: 1 } })
    expect(await collect(client.follow('run'))).toHaveLength(talk.length)
    expect(server.requests.length).toBe(talk.length)
  })

  it.each([
    [400, 'bad_request'],
    [401, 'authentication'],
    [403, 'permission'],
    [404, 'not_found'],
    [406, 'protocol_error'],
    [409, 'conflict'],
    [413, 'request_too_large'],
  ])('does not repeat a request that was refused with %i', async (status, code) => {
    const { client, server } = connect(talk, [{ status, problem: { detail: 'why', path: 'input' } }])
    await expect(collect(client.start({ input: 'x' }))).rejects.toMatchObject({
      code,
      status,
      message: 'why',
      path: 'input',
    })
    expect(server.requests.length).toBe(1)
  })

  it('reports the status of an answer without problem details', async () => {
    const { client } = connect(talk, [{ status: 404 }])
    await expect(collect(client.follow('run'))).rejects.toThrow('the server answered with status 404')
  })

  it('refuses an answer that is not a stream', async () => {
    const { client, server } = connect(talk, [{ headers: { 'content-type': 'text/html' } }])
    await expect(collect(client.follow('run'))).rejects.toMatchObject({ code: 'not_a_stream' })
    expect(server.openBodies()).toBe(0)
  })

  it('ends when the run is closed and no event follows', async () => {
    const { client, server } = connect(talk, [{ status: 204 }])
    expect(await collect(client.follow('run', { after: 99 }))).toEqual([])
    expect(server.requests.length).toBe(1)
  })

  it('asks again for missing events', async () => {
    const { client, server } = connect(talk, [{ events: talk.toSpliced(4, 1) }])
    expect((await collect(client.follow('run'))).map(({ seq }) => seq)).toEqual(talk.map(({ seq }) => seq))
    expect(server.requests[1]?.url.search).toBe('?after=4')
  })

  it('counts a silent connection as lost, but not a slow consumer', async () => {
    const clock = manualClock()
    const server = scriptedFetch(talk, [{ cut: 500, stalls: true }])
    const client = createClient({
      url: '/agent',
      fetch: server.fetch,
      runtime: { clock, random: () => 0 },
      idleTimeoutMs,
    })
    const stream = client.follow('run')
    const iterator = stream[Symbol.asyncIterator]()
    await iterator.next()
    clock.advance(idleTimeoutMs * 3)
    await iterator.next()
    expect(server.requests.length).toBe(1)
    const rest = collect({ ...stream, [Symbol.asyncIterator]: () => iterator })
    await macrotask()
    clock.advance(idleTimeoutMs)
    await macrotask()
    expect(server.requests.length).toBe(1)
    clock.advance(1000)
    await rest
    expect(stream.view).toEqual(reduceEvents(emptyView, talk))
    expect([server.requests.length, clock.pending, server.openBodies()]).toEqual([2, 0, 0])
  })
})

describe('damage', () => {
  const doubled = talk.map((event): AgentEvent =>
    event.type === 'text.delta' ? { ...event, text: event.text.repeat(2) } : event,
  )

  it('starts over when a text is not what was sent', async () => {
    const { client, server } = connect(talk, [{ events: doubled }])
    const stream = client.follow('run')
    const events = await collect(stream)
    const reset = events.findIndex(({ type }) => type === 'reset')
    expect(events[reset]).toEqual({ type: 'reset', seq: 0, reason: 'mismatch' })
    expect(events.slice(reset + 1).map(({ seq }) => seq)).toEqual(talk.map(({ seq }) => seq))
    expect(stream.view).toEqual({ ...reduceEvents(emptyView, talk) })
    expect(server.requests[1]?.url.search).toBe('?after=0')
  })

  it('fails when the text is wrong again', async () => {
    const { client } = connect(doubled)
    await expect(collect(client.follow('run'))).rejects.toMatchObject({ code: 'protocol_error', retryable: false })
  })

  it('does not verify a text that began before the cursor', async () => {
    const { client } = connect(talk)
    expect(await collect(client.follow('run', { after: 5 }))).toHaveLength(4)
  })

  it('starts over when the cursor is gone, and fails when the first event is gone too', async () => {
    const gone = { status: 410, problem: { detail: 'gone' } }
    const { client } = connect(talk, [{ cut: 500 }, gone])
    const events = await collect(client.follow('run'))
    expect(events.filter(({ type }) => type === 'reset')).toEqual([{ type: 'reset', seq: 0, reason: 'gone' }])
    expect(events.at(-1)?.type).toBe('run.finished')
    const lost = connect(talk, [{ cut: 500 }, gone, gone])
    await expect(collect(lost.client.follow('run'))).rejects.toMatchObject({ code: 'events_missed', message: 'gone' })
    await expect(collect(connect(talk, [gone]).client.follow('run'))).rejects.toMatchObject({ code: 'events_missed' })
  })

  it('passes on events of unknown types', async () => {
    const later: AgentEvent[] = JSON.parse(JSON.stringify(talk).replace('"turn.started"', '"weather.changed"'))
    const events = await collect(connect(later).client.follow('run'))
    expect(events[1]).toMatchObject({ type: 'unknown', seq: 2, name: 'weather.changed' })
    expect(events).toHaveLength(talk.length)
  })
})

describe('leaving', () => {
  it('disconnects, and goes on from there when iterated again', async () => {
    const { client, server } = connect(talk)
    const stream = client.follow('run')
    for await (const { seq } of stream) if (seq === 4) break
    expect(server.openBodies()).toBe(0)
    const [next] = await collect(stream)
    expect(next?.seq).toBeGreaterThan(4)
    expect(stream.view).toEqual(reduceEvents(emptyView, talk))
  })

  it('ends when its signal aborts, while it reads or before it begins', async () => {
    const leaving = new AbortController()
    const { client, server } = connect(talk, [{ cut: 300, stalls: true }])
    const stream = client.follow('run', { signal: leaving.signal })
    const events = collect(stream)
    await macrotask()
    leaving.abort()
    expect((await events).length).toBeGreaterThan(0)
    expect(server.openBodies()).toBe(0)
    expect(await collect(client.follow('run', { signal: AbortSignal.abort() }))).toEqual([])
    expect(server.requests.length).toBe(1)
  })

  it('ends when its signal aborts before a reconnect', async () => {
    const clock = manualClock()
    const leaving = new AbortController()
    const server = scriptedFetch(talk, [{ refused: true }])
    const client = createClient({ url: '/a', fetch: server.fetch, runtime: { clock } })
    const events = collect(client.follow('run', { signal: leaving.signal }))
    await macrotask()
    leaving.abort()
    expect([await events, clock.pending]).toEqual([[], 0])
  })

  it('refuses a second iteration at the same time', async () => {
    const { client } = connect(talk)
    const stream = client.follow('run')
    const first = stream[Symbol.asyncIterator]()
    await first.next()
    await expect(collect(stream)).rejects.toMatchObject({ code: 'invalid_input' })
    await first.return?.()
    expect((await collect(stream)).at(-1)?.type).toBe('run.finished')
  })
})

describe('cancel and snapshot', () => {
  it('send their request and return the answer', async () => {
    const { client, server } = connect(talk)
    expect(await client.cancel('a/b', 'enough')).toEqual({ runId: 'run', cancelled: true })
    expect(await client.follow('run').cancel()).toEqual({ runId: 'run', cancelled: true })
    expect(await client.snapshot('run')).toMatchObject({ runId: 'run', closed: true, tail: 9 })
    expect(server.requests.map(({ method, url, body }) => [method, url.pathname, body])).toEqual([
      ['POST', '/agent/runs/a%2Fb/cancel', { reason: 'enough' }],
      ['POST', '/agent/runs/run/cancel', { reason: 'user' }],
      ['GET', '/agent/runs/run', undefined],
    ])
  })

  it('reject with what went wrong', async () => {
    const { client } = connect(talk, [{ status: 404, problem: { detail: 'no such run' } }, { refused: true }])
    await expect(client.snapshot('x')).rejects.toMatchObject({ code: 'not_found', message: 'no such run' })
    await expect(client.cancel('x')).rejects.toMatchObject({ code: 'connection_failed', retryable: true })
    const broken = createClient({ url: '/a', fetch: () => Promise.resolve(new Response('{}')) })
    await expect(broken.cancel('x')).rejects.toMatchObject({ code: 'protocol_error' })
    await expect(broken.snapshot('x')).rejects.toMatchObject({ code: 'protocol_error' })
  })
})

describe('options', () => {
  it.each<[string, object]>([
    ['url', { url: '' }],
    ['url', { url: undefined }],
    ['url', { url: 'http://x/?a=1' }],
    ['headers', { headers: 'authorization: x' }],
    ['headers.x-retries', { headers: { 'x-retries': 3 } }],
    ['idleTimeoutMs', { idleTimeoutMs: -1 }],
    ['requestTimeoutMs', { requestTimeoutMs: Number.POSITIVE_INFINITY }],
    ['reconnect.attempts', { reconnect: { attempts: Number.NaN } }],
    ['reconnect.retries', { reconnect: { retries: 3 } }],
    ['runtime.clock', { runtime: { clock: {} } }],
    ['retries', { retries: 3 }],
  ])('are refused with their path: %s', (path, options) => {
    expect(() => createClient({ url: '/', ...options })).toThrow(expect.objectContaining({ path }))
    expect(() => remoteAgent({ url: '/', ...options })).toThrow(expect.objectContaining({ path }))
  })

  it.each<[string, object]>([
    ['interruptTimeoutMs must be a number of milliseconds', { interruptTimeoutMs: -1 }],
    ['readOnlyTools must be an array', { readOnlyTools: 'search' }],
    ['unknown option "rawContent"', { rawContent: true }],
    ['unknown option "interruptTimeout"; did you mean "interruptTimeoutMs"?', { interruptTimeout: 1 }],
    ['unknown option "header"; did you mean "headers"?', { header: {} }],
  ])('of a remote agent are refused at once: %s', (message, options) => {
    expect(() => remoteAgent({ url: '/', ...options })).toThrow(message)
  })
})
