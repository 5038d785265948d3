import { createRun, type AgentRun, type EventBody, systemRuntime } from '@millrace/core'
import { memoryRunStore } from '@millrace/core/memory'
import { deferred, macrotask, manualClock } from '@millrace/testing/async'
import { expect, test } from 'vitest'
import { createHandler, type HandlerOptions, runResponse } from '../src/index.ts'
import { origin, problemOf, readEvents, serve } from './support/served.ts'

const usage = { input_tokens: 1, output_tokens: 1 }

interface Drip {
  readonly run: AgentRun
  readonly begun: Promise<void>
  /** Sends one event, and says whether the run may go on. */
  drip(): boolean
  end(): void
}

/** A run whose events the test sends one by one. */
function drippingRun(runId: string = crypto.randomUUID()): Drip {
  let emit: (body: EventBody) => void = () => undefined
  let ready: () => Promise<void> | undefined = () => undefined
  const ended = deferred()
  const begun = deferred()
  const result = (outcome: 'completed' | 'interrupted') => ({
    runId,
    outcome,
    stopReason: null,
    messages: [],
    newMessages: [],
    text: '',
    usage,
    turns: 0,
  })
  const run = createRun({
    runId,
    runtime: systemRuntime,
    async drive(handle) {
      emit = handle.emit
      ready = handle.ready
      begun.resolve()
      handle.signal.addEventListener('abort', () => ended.resolve())
      if (handle.signal.aborted) ended.resolve()
      await ended.promise
      return result(handle.signal.aborted ? 'interrupted' : 'completed')
    },
    crashed: () => result('interrupted'),
  })
  return {
    run,
    begun: begun.promise,
    drip() {
      emit({ type: 'text.delta', turn: 1, attempt: 1, block: 0, text: 'x' })
      return ready() === undefined
    },
    end: ended.resolve,
  }
}

/** Sends until the run is to wait, and says after how many events that was. */
async function fill(source: Drip): Promise<number> {
  await source.begun
  await new Promise((resolve) => setImmediate(resolve))
  for (let sent = 1; sent < 10_000; sent++) if (!source.drip()) return sent
  return Number.POSITIVE_INFINITY
}

function handlerOf(run: (runId: string) => AgentRun, options: Partial<HandlerOptions> = {}) {
  const handler = createHandler({
    agent: { run: ({ runId = '' }) => run(runId) },
    runs: memoryRunStore(),
    ...options,
  })
  const start = (headers: Record<string, string> = {}, signal?: AbortSignal) =>
    handler.fetch(
      new Request(`${origin}/runs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: '{"input":"x"}',
        ...(signal && { signal }),
      }),
    )
  return { handler, start }
}

test('a run waits for a client that does not read', async () => {
  let source = drippingRun()
  const { start } = handlerOf((runId) => (source = drippingRun(runId)).run)
  const response = await start()
  const reader = response.body?.getReader()
  await reader?.read()
  const first = reader?.read()
  expect(await fill(source)).toBeLessThan(1_000)
  await first
  source.end()
  await reader?.cancel()
})

test('a client that leaves leaves its run alone, which goes on at its own pace', async () => {
  let source = drippingRun()
  const { start, handler } = handlerOf((runId) => (source = drippingRun(runId)).run)
  const reader = (await start()).body?.getReader()
  await reader?.read()
  await reader?.cancel()
  expect(await fill(source)).toBe(Number.POSITIVE_INFINITY)
  source.end()
  expect(await source.run.result).toMatchObject({ outcome: 'completed' })
  await new Promise((resolve) => setImmediate(resolve))
  expect(handler.openRuns).toBe(0)
})

test('a client that leaves takes its run with it, where the handler says so', async () => {
  let source = drippingRun()
  const { start } = handlerOf((runId) => (source = drippingRun(runId)).run, { onDisconnect: 'cancel' })
  const reader = (await start()).body?.getReader()
  await reader?.read()
  await reader?.cancel()
  expect(await source.run.result).toMatchObject({ outcome: 'interrupted' })
})

test.each(['continue', 'cancel'] as const)('a JSON client that leaves: onDisconnect is %s', async (onDisconnect) => {
  const source = drippingRun()
  const leaving = new AbortController()
  const { start } = handlerOf(() => source.run, { onDisconnect })
  const response = start({ accept: 'application/json' }, leaving.signal)
  await new Promise((resolve) => setImmediate(resolve))
  leaving.abort()
  source.end()
  expect(await source.run.result).toMatchObject({ outcome: onDisconnect === 'cancel' ? 'interrupted' : 'completed' })
  await response
})

test('a client that reads nothing for too long is given up, and its run goes on', async () => {
  const clock = manualClock()
  let source = drippingRun()
  const { start } = handlerOf((runId) => (source = drippingRun(runId)).run, { runtime: { clock }, stallTimeout: 5_000 })
  const response = await start()
  const reader = response.body?.getReader()
  await reader?.read()
  const second = reader?.read()
  await fill(source)
  await second
  clock.advance(4_999)
  clock.advance(1)
  await expect(reader?.read()).rejects.toMatchObject({ code: 'connection_lost' })
  expect(source.drip()).toBe(true)
  expect(clock.pending).toBe(0)
  source.end()
  expect(await source.run.result).toMatchObject({ outcome: 'completed' })
})

test('a response that nobody begins to read is given up as well', async () => {
  const clock = manualClock()
  const source = drippingRun()
  const { start } = handlerOf(() => source.run, { runtime: { clock } })
  const response = await start()
  clock.advance(60_000)
  await expect(response.text()).rejects.toMatchObject({ code: 'connection_lost' })
  expect(clock.pending).toBe(0)
  source.end()
})

test('a reader that waits for a quiet run is not given up, and hears a heartbeat', async () => {
  const clock = manualClock()
  let source = drippingRun()
  const { start } = handlerOf((runId) => (source = drippingRun(runId)).run, { runtime: { clock }, heartbeat: 1_000 })
  const response = await start()
  const reader = response.body?.getReader()
  expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('retry: 1000\n\n')
  for (let minute = 0; minute < 3; minute++) {
    const beat = reader?.read()
    await Promise.resolve()
    clock.advance(60_000)
    expect(new TextDecoder().decode((await beat)?.value)).toBe(':\n\n')
  }
  source.end()
  await reader?.cancel()
  expect(clock.pending).toBe(0)
})

test('a JSON client has the run’s id at once, and hears a heartbeat that JSON allows', async () => {
  const clock = manualClock()
  const source = drippingRun()
  const { start } = handlerOf(() => source.run, { runtime: { clock }, heartbeat: 1_000 })
  const response = await start({ accept: 'application/json' })
  expect(response.status).toBe(200)
  expect(response.headers.get('millrace-run-id')).toBe(source.run.runId)
  expect(response.headers.get('cache-control')).toBe('no-store, no-transform')
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let body = ''
  for (let second = 0; second < 3; second++) {
    const beat = reader?.read()
    await Promise.resolve()
    clock.advance(1_000)
    body += decoder.decode((await beat)?.value)
  }
  expect(body).toBe('\n\n\n')
  source.end()
  body += decoder.decode((await reader?.read())?.value)
  expect(JSON.parse(body)).toMatchObject({ runId: source.run.runId, outcome: 'completed' })
  expect((await reader?.read())?.done).toBe(true)
  expect(clock.pending).toBe(0)
})

test('many followers of one run add no listener to anything they share', async () => {
  const warnings: Error[] = []
  const hear = (warning: Error): void => void warnings.push(warning)
  process.on('warning', hear)
  const hold = deferred()
  const { post, get } = await serve({
    script: async () => {
      await hold.promise
      return { content: [{ type: 'text', text: 'done' }] }
    },
  })
  const started = await post('/runs', { input: 'x' })
  const path = `/runs/${started.headers.get('millrace-run-id')}/events`
  const followers = await Promise.all(Array.from({ length: 40 }, () => get(path)))
  const all = followers.map(readEvents)
  hold.resolve()
  const events = await readEvents(started)
  for (const one of all) expect(await one).toEqual(events)
  await macrotask()
  process.off('warning', hear)
  expect(warnings).toEqual([])
})

test('what arrives together is one chunk, and a delta costs no timer', async () => {
  const clock = manualClock()
  let source = drippingRun()
  const { start } = handlerOf((runId) => (source = drippingRun(runId)).run, { runtime: { clock } })
  const reader = (await start()).body?.getReader()
  await reader?.read()
  const chunk = reader?.read()
  for (let sent = 0; sent < 100; sent++) source.drip()
  const text = new TextDecoder().decode((await chunk)?.value)
  const before = clock.timersSet
  expect(text.match(/^id: /gm)).toHaveLength(100)
  expect(text.length / 100).toBeLessThan(80)
  for (let sent = 0; sent < 100; sent++) {
    const next = reader?.read()
    source.drip()
    await next
  }
  expect(clock.timersSet).toBe(before)
  source.end()
  await reader?.cancel()
})

test('runResponse streams a run of one’s own, in what the client accepts', async () => {
  const request = new Request(origin, { headers: { accept: 'application/x-ndjson' } })
  const source = drippingRun()
  const response = await runResponse(source.run, { request })
  const events = readEvents(response)
  await source.begun
  source.drip()
  source.end()
  expect((await events).map(({ type }) => type)).toEqual(['text.delta', 'run.finished'])
  const json = drippingRun()
  json.end()
  expect(await (await runResponse(json.run, { format: 'json' })).json()).toMatchObject({ outcome: 'completed' })
  const refused = drippingRun()
  const html = new Request(origin, { headers: { accept: 'text/html' } })
  expect(await problemOf(await runResponse(refused.run, { request: html }))).toMatchObject({ status: 406 })
  expect(await refused.run.result).toMatchObject({ outcome: 'interrupted' })
})

test('the chunks of a response are as many as the reads of the model’s answer', async () => {
  const { post, claude } = await serve({
    script: [{ content: [{ type: 'text', text: 'word '.repeat(2_000) }] }],
  })
  const reader = (await post('/runs', { input: 'x' })).body?.getReader()
  let chunks = 0
  while ((await reader?.read())?.done === false) chunks++
  const read = claude.requests[0]?.bytesSent ?? 0
  // Node reads 64 kB of a socket at most; what one read brings is written at once, and a few writes are of our own.
  expect(read).toBeGreaterThan(100_000)
  expect(chunks).toBeLessThan(2_000 / 4)
})
