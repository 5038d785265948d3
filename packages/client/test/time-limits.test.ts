import type { AgentEvent, MillraceError } from '@millrace/core'
import { collect, deferred, macrotask, type ManualClock, manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { type Client, type ClientOptions, createClient, remoteAgent } from '../src/index.ts'
import { scriptedFetch } from './scripted-fetch.ts'

const never = (): Promise<never> => new Promise(() => undefined)
const requestTimeoutMs = 30_000
const idleTimeoutMs = 45_000

/** A body that sends `start` and then nothing, whatever signal aborts. */
function stalledBody(start: string): {
  readonly body: ReadableStream<Uint8Array>
  readonly isCancelled: () => boolean
} {
  let isCancelled = false
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(start)),
    pull: never,
    cancel() {
      isCancelled = true
    },
  })
  return { body, isCancelled: () => isCancelled }
}

function connect(options: Partial<ClientOptions>): { readonly client: Client; readonly clock: ManualClock } {
  const clock = manualClock()
  const client = createClient({
    url: 'http://millrace.test',
    reconnect: { attempts: 0 },
    runtime: { clock, newId: () => 'run' },
    ...options,
  })
  return { client, clock }
}

async function errorOf(promise: Promise<unknown>): Promise<MillraceError | undefined> {
  return promise.then(
    () => undefined,
    (error) => error,
  )
}

const requests: [string, (client: Client) => Promise<unknown>, number, string][] = [
  ['cancel', (client) => client.cancel('run'), requestTimeoutMs, 'request_timeout'],
  ['snapshot', (client) => client.snapshot('run'), requestTimeoutMs, 'request_timeout'],
  ['cancel of a stream', (client) => client.follow('run').cancel(), requestTimeoutMs, 'request_timeout'],
  ['start', (client) => collect(client.start({ input: 'hi' })), idleTimeoutMs, 'idle_timeout'],
  ['follow', (client) => collect(client.follow('run')), idleTimeoutMs, 'idle_timeout'],
]

describe.each(requests)('%s', (_name, request, limitMs, code) => {
  it.each<[string, Partial<ClientOptions>, string]>([
    ['a fetch that never settles and ignores its signal', { fetch: never }, 'the server'],
    ['a headers() hook that never settles', { fetch: never, headers: never }, 'headers()'],
    [
      'a body that stops after the headers',
      {
        fetch: () =>
          Promise.resolve(new Response(stalledBody('').body, { headers: { 'content-type': 'text/event-stream' } })),
      },
      'the server',
    ],
  ])('ends in a typed error with %s', async (_what, options, who) => {
    const { client, clock } = connect(options)
    const failure = errorOf(request(client))
    await macrotask()
    clock.advance(limitMs)
    expect(await failure).toMatchObject({ code, retryable: true, message: expect.stringContaining(who) })
    expect(clock.pending).toBe(0)
  })

  it('tells the status of a refusal whose body never ends', async () => {
    const { client, clock } = connect({
      fetch: () => Promise.resolve(new Response(stalledBody('{').body, { status: 503 })),
    })
    const failure = errorOf(request(client))
    await macrotask()
    clock.advance(limitMs)
    expect(await failure).toMatchObject({ code: 'overloaded', status: 503 })
    expect(clock.pending).toBe(0)
  })

  it('cancels the body of an answer that comes too late', async () => {
    const late = deferred<Response>()
    const { client, clock } = connect({ fetch: () => late.promise })
    const failure = errorOf(request(client))
    await macrotask()
    clock.advance(limitMs)
    expect(await failure).toMatchObject({ code })
    const { body, isCancelled } = stalledBody('')
    late.resolve(new Response(body))
    await macrotask()
    expect(isCancelled()).toBe(true)
  })

  it.each<[string, () => Promise<never>]>([
    [
      'throws',
      () => {
        throw new TypeError('no token')
      },
    ],
    ['rejects', () => Promise.reject(new TypeError('no token'))],
  ])('names a headers() hook that %s', async (_how, headers) => {
    const { client, clock } = connect({ fetch: never, headers })
    expect(await errorOf(request(client))).toMatchObject({
      code: 'callback_failed',
      path: 'headers',
      cause: expect.objectContaining({ message: 'no token' }),
    })
    expect(clock.pending).toBe(0)
  })
})

describe('cancel and snapshot', () => {
  it('reject as aborted when their signal aborts, though fetch ignores it', async () => {
    const leaving = new AbortController()
    const { client, clock } = connect({ fetch: never })
    const failures = [
      errorOf(client.cancel('run', 'user', { signal: leaving.signal })),
      errorOf(client.follow('run').cancel('user', { signal: leaving.signal })),
      errorOf(client.snapshot('run', { signal: leaving.signal })),
    ]
    leaving.abort('page left')
    for (const failure of failures) {
      expect(await failure).toMatchObject({ code: 'aborted', retryable: false, cause: 'page left' })
    }
    expect(clock.pending).toBe(0)
  })

  it('refuse an answer that is longer than they may keep', async () => {
    const fetch = (): Promise<Response> => Promise.resolve(new Response('x'.repeat(101)))
    expect(await errorOf(connect({ fetch, maxEventChars: 100 }).client.cancel('run'))).toMatchObject({
      code: 'buffer_overflow',
    })
  })

  it('tell a body that breaks off from one that cannot be read', async () => {
    const broken = new ReadableStream({ start: (controller) => controller.error(new TypeError('terminated')) })
    const answers = [new Response(broken), new Response('{"runId":')]
    const { client } = connect({ fetch: () => Promise.resolve(answers.shift() ?? new Response()) })
    expect(await errorOf(client.snapshot('run'))).toMatchObject({ code: 'connection_lost', retryable: true })
    expect(await errorOf(client.snapshot('run'))).toMatchObject({ code: 'protocol_error', retryable: false })
  })
})

describe('a stream', () => {
  it('tries again after a headers() hook that failed or hung', async () => {
    const clock = manualClock()
    const server = scriptedFetch([runStarted, runFinished])
    const hooks = [() => Promise.reject(new TypeError('offline')), never, () => Promise.resolve({ 'x-token': 'fresh' })]
    const client = createClient({
      url: 'http://millrace.test',
      fetch: server.fetch,
      headers: () => hooks.shift()?.() ?? {},
      runtime: { clock, random: () => 1 },
    })
    const events = collect(client.follow('run'))
    await clock.timer(500)
    clock.advance(500)
    await clock.timer(idleTimeoutMs)
    clock.advance(idleTimeoutMs)
    await clock.timer(1000)
    clock.advance(1000)
    expect(await events).toHaveLength(2)
    expect(server.requests.map(({ headers }) => headers.get('x-token'))).toEqual(['fresh'])
  })

  it('refuses a body that cannot be written as JSON, and does not try again', async () => {
    const { client, clock } = connect({ fetch: never, reconnect: {} })
    const failure = errorOf(collect(client.start({ input: 'hi', metadata: { big: 1n } })))
    expect(await failure).toMatchObject({ code: 'invalid_input' })
    expect(clock.pending).toBe(0)
  })
})

const head = { runId: 'run', at: 1 }
const runStarted: AgentEvent = {
  type: 'run.started',
  decision: { mode: 'stream', arm: 'streaming', reason: 'explicit', tools: {} },
  seq: 1,
  ...head,
}
const usage = { input_tokens: 1, output_tokens: 1 }
const runFinished: AgentEvent = { type: 'run.finished', outcome: 'completed', stopReason: null, usage, seq: 2, ...head }

describe('an interrupt of a remote run', () => {
  /** A service that sends the start of a run, and answers nothing else. */
  function mute(): { readonly fetch: typeof globalThis.fetch; readonly paths: string[] } {
    const server = scriptedFetch([runStarted], [{ stalls: true }])
    const paths: string[] = []
    return {
      paths,
      fetch(url, init) {
        paths.push(new URL(url instanceof Request ? url.url : url).pathname)
        return paths.length === 1 ? server.fetch(url, init) : never()
      },
    }
  }

  it.each(['interrupt()', 'an aborted signal'])('by %s ends the run within its time', async (by) => {
    const clock = manualClock()
    const service = mute()
    const warned = deferred<string>()
    const agent = remoteAgent({
      url: 'http://service.test',
      fetch: service.fetch,
      interruptTimeoutMs: 500,
      onWarning: ({ code }) => warned.resolve(code),
      runtime: { clock },
    })
    const stop = new AbortController()
    const run = agent.run({ messages: [{ role: 'user', content: 'hi' }], signal: stop.signal })
    for await (const { type } of run) if (type === 'run.started') break
    if (by === 'interrupt()') run.interrupt('user')
    else stop.abort()
    await clock.timer(500)
    clock.advance(500)
    expect(await run.result).toMatchObject({ outcome: 'interrupted' })
    expect(service.paths).toEqual(['/runs', expect.stringMatching(/^\/runs\/.+\/cancel$/)])
    // The request that tells the service goes on for its own time, and is reported.
    clock.advance(5000)
    expect(await warned.promise).toBe('request_timeout')
    expect(clock.pending).toBe(0)
  })

  it('ends the run when the service cannot be told in time', async () => {
    const clock = manualClock()
    const agent = remoteAgent({ url: 'http://service.test', fetch: mute().fetch, runtime: { clock } })
    const run = agent.run({ messages: [{ role: 'user', content: 'hi' }] })
    for await (const { type } of run) if (type === 'run.started') break
    run.interrupt('user')
    await clock.timer(5000)
    clock.advance(5000)
    expect(await run.result).toMatchObject({ outcome: 'interrupted' })
  })

  it('ends the run while headers() hangs', async () => {
    const clock = manualClock()
    const agent = remoteAgent({ url: 'http://service.test', fetch: never, headers: never, runtime: { clock } })
    const run = agent.run({ messages: [{ role: 'user', content: 'hi' }] })
    await clock.timer(idleTimeoutMs)
    run.interrupt('user')
    await clock.timer(5000)
    clock.advance(5000)
    expect(await run.result).toMatchObject({ outcome: 'interrupted' })
    expect(clock.pending).toBe(0)
  })
})
