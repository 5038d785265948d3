import type { FlagContext } from '@millrace/core'
import type { FlagSource, FlagSourceEvent } from '@millrace/flags'
import { type ManualClock, manualClock } from '@millrace/testing/async'
import { OpenFeature } from '@openfeature/server-sdk'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type OfrepFlags, ofrepFlags, type OfrepFlagsOptions } from '../src/index.ts'
import { diskCache } from '../src/node.ts'
import { ofrepProvider } from '../src/openfeature.ts'
import { faults, type FlagServer, startFlagServer } from './support/flag-server.ts'
import { checkRequest } from './support/ofrep-schema.ts'
import { type OfrepServer, startOfrepServer } from './support/start-ofrep-server.ts'

const open: FlagSource[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((source) => source.close()))
})

function connect(options: OfrepFlagsOptions): OfrepFlags {
  const source = ofrepFlags({ random: () => 0.5, ...options })
  open.push(source)
  return source
}

function next(source: FlagSource, type: FlagSourceEvent['type']): Promise<FlagSourceEvent> {
  return new Promise((resolve) => {
    const leave = source.onChange((event) => {
      if (event.type !== type) return
      leave()
      resolve(event)
    })
  })
}

describe('against a real server', () => {
  const staff = { targetingKey: 'u1', email: 'ada@corp.example' }
  let server: OfrepServer

  beforeAll(async () => {
    server = await startOfrepServer()
  })
  afterAll(() => server.stop())

  /** The time to wait for an answer is another test's: here the server has all it needs. */
  const patient = (): OfrepFlags => connect({ baseUrl: server.baseUrl, firstAnswer: 20_000 })

  it('answers by context, from memory after the first time', async () => {
    const source = patient()
    await source.ready()
    const first = source.getBooleanDetails('use_streaming', false, staff)
    expect(first).toBeInstanceOf(Promise)
    expect(await first).toEqual({ value: true, reason: 'TARGETING_MATCH', variant: 'on' })
    expect(source.getBooleanDetails('use_streaming', false, staff)).toEqual(await first)
    expect(await source.getBooleanDetails('use_streaming', true, { targetingKey: 'u2' })).toMatchObject({
      value: false,
    })
    expect(source.getBooleanDetails('use_streaming.tool.bash', true, staff)).toMatchObject({ value: false })
  })

  it('passes on errors, other types and disabled flags, without the messages of the server', async () => {
    const source = patient()
    await source.ready()
    expect(await source.getBooleanDetails('absent', true, staff)).toMatchObject({
      value: true,
      errorCode: 'FLAG_NOT_FOUND',
    })
    expect(source.getBooleanDetails('broken', true, staff)).toEqual({
      value: true,
      reason: 'ERROR',
      errorCode: 'GENERAL',
      errorMessage: 'the server could not evaluate "broken"',
    })
    expect(source.getBooleanDetails('theme', false, staff)).toMatchObject({ errorCode: 'TYPE_MISMATCH' })
    expect(source.resolve('theme', staff)).toMatchObject({ value: 'd', metadata: { owner: 'web' } })
  })

  it('answers for a tool without a flag by the wildcard', async () => {
    const source = patient()
    const ask = (tool: string, context: FlagContext) =>
      source.getBooleanDetails(`use_streaming.tool.${tool}`, true, context)
    expect(await ask('web_search', { targetingKey: 'u2' })).toMatchObject({ value: false, variant: 'off' })
    expect(await ask('web_search', staff)).toMatchObject({ value: true, variant: 'on' })
    expect(await ask('bash', staff)).toMatchObject({ value: false })
    expect(await source.getBooleanDetails('use_streaming.other', true, staff)).toMatchObject({ value: true })
  })

  it('leaves a retired flag to the code', async () => {
    const source = patient()
    for (const fallback of [true, false]) {
      expect(await source.getBooleanDetails('retired', fallback, staff)).toEqual({
        value: fallback,
        reason: 'DISABLED',
      })
    }
  })

  it('is an OpenFeature provider', async () => {
    await OpenFeature.setProviderAndWait('ofrep', ofrepProvider({ baseUrl: server.baseUrl, firstAnswer: 20_000 }))
    const client = OpenFeature.getClient('ofrep')
    expect(await client.getBooleanValue('use_streaming', false, staff)).toBe(true)
    expect(await client.getStringValue('theme', 'none', staff)).toBe('d')
    await OpenFeature.close()
  })

  it('sees a kill at its next poll', async () => {
    const source = patient()
    await source.ready()
    expect(await source.getBooleanDetails('use_streaming.kill', false, staff)).toMatchObject({ value: false })
    await fetch(`${server.baseUrl}/kill`)
    await source.refresh()
    await source.refresh()
    expect(source.getBooleanDetails('use_streaming.kill', false, staff)).toMatchObject({ value: true })
  })
})

describe('against a server that fails', () => {
  const answerOf = (value: boolean): string =>
    JSON.stringify({ flags: [{ key: 'use_streaming', value, variant: value ? 'on' : 'off', reason: 'SPLIT' }] })
  const user = { targetingKey: 'u1' }
  let server: FlagServer
  let clock: ManualClock
  let folder: string

  beforeEach(async () => {
    server = await startFlagServer(answerOf(true), '{"flags":[]}')
    clock = manualClock(Date.UTC(2026, 0, 1))
    folder = await mkdtemp(join(tmpdir(), 'millrace-ofrep-'))
  })
  afterEach(async () => {
    await server.close()
    await rm(folder, { recursive: true, force: true })
  })
  const start = (options: Partial<OfrepFlagsOptions> = {}): OfrepFlags =>
    connect({ baseUrl: new URL('/', server.url), clock, maxBytes: 100_000, ...options })
  const ask = (source: OfrepFlags, context = user) => source.getBooleanDetails('use_streaming', false, context)

  async function fail(fault: FlagServer['fault']): Promise<void> {
    server.fault = fault
    if (fault === 'refused') await server.close()
  }

  /** Lets the first answer's time pass, and no more. */
  async function decide(source: OfrepFlags): Promise<unknown> {
    const decision = ask(source)
    if (!(decision instanceof Promise)) return decision
    const settled = Promise.race([decision, new Promise((resolve) => setTimeout(() => resolve(undefined), 0))])
    await settled
    clock.advance(40)
    return decision
  }

  it.each(faults)('%s: answers a known context at once, from the last known good', async (fault) => {
    const source = start({ headers: { authorization: 'Bearer secret' } })
    await source.ready()
    expect(await ask(source)).toMatchObject({ value: true })
    await source.refresh()
    await fail(fault)
    const failed = next(source, 'failed')
    const before = server.requests.length
    const asked = source.refresh()
    if (fault.startsWith('stalled')) {
      while (server.requests.length === before) await new Promise((resolve) => setImmediate(resolve))
      clock.advance(5000)
    }
    await asked
    expect(JSON.stringify([await failed, source.describe()])).not.toMatch(/secret|127\.0\.0\.1/)
    expect(ask(source)).toMatchObject({ value: true, reason: 'SPLIT' })
    clock.advance(120_001)
    const stale = await decide(source)
    expect(stale).toMatchObject({ value: true, reason: 'STALE' })
  })

  it.each(faults)('%s: decides against streaming in time for an unknown context', async (fault) => {
    const source = start()
    await source.ready()
    await source.refresh()
    await fail(fault)
    expect(await decide(source)).toMatchObject({ value: false, reason: 'ERROR' })
  })

  it.each(faults)('%s: answers from the disk in a process that starts during it', async (fault) => {
    const path = join(folder, 'ofrep.json')
    const lastKnownGood = diskCache(path)
    const first = start({ lastKnownGood })
    await first.ready()
    expect(await ask(first)).toMatchObject({ value: true })
    await first.refresh()
    await first.refresh()
    await first.close()
    const text = await readFile(path, 'utf8')
    expect(text).not.toContain('u1')
    await fail(fault)
    const second = start({ lastKnownGood })
    await second.ready()
    expect(await decide(second)).toMatchObject({ value: true })
  })

  it('joins requests for one context, and sends its ETag', async () => {
    const source = start()
    await source.ready()
    await source.refresh()
    const before = server.requests.length
    await Promise.all([ask(source), ask(source), ask(source)])
    expect(server.requests.length).toBe(before + 1)
    for (const { body, method, path } of server.requests) {
      // The question without a user, by which the source knows that the server is there, lacks the key and nothing else.
      expect(checkRequest(JSON.parse(body.replace('{}', '{"targetingKey":"nobody"}')))).toEqual([])
      expect([method, path]).toEqual(['POST', '/ofrep/v1/evaluate/flags'])
    }
    await source.refresh()
    expect(server.unchanged).toBeGreaterThan(0)
  })

  it('compares contexts whatever their order, and sends only the given attributes', async () => {
    const source = start({ attributes: ['plan'] })
    await source.ready()
    await source.refresh()
    const before = server.requests.length
    await source.getBooleanDetails('use_streaming', false, { targetingKey: 'u', plan: 'x', email: 'a@b.example' })
    await source.getBooleanDetails('use_streaming', false, { email: 'c@d.example', plan: 'x', targetingKey: 'u' })
    expect(server.requests.slice(before).map(({ body }) => body)).toEqual([
      '{"context":{"targetingKey":"u","plan":"x"}}',
    ])
  })

  it('drops the least recently used context', async () => {
    const source = start({ maxContexts: 2 })
    await source.ready()
    await source.refresh()
    const before = server.requests.length
    for (const targetingKey of ['a', 'b', 'b', 'a', 'c', 'b']) await ask(source, { targetingKey })
    expect(server.requests.length).toBe(before + 4)
  })

  it('requests a context again that was out of use, before it answers from memory', async () => {
    const source = start({ poll: 1000 })
    await source.ready()
    await ask(source)
    server.text = answerOf(false)
    clock.advance(1)
    for (let polls = 0; polls < 4; polls++) {
      await source.refresh()
      clock.advance(1000)
    }
    expect(await ask(source)).toMatchObject({ value: false })
  })

  it('reports flags that changed', async () => {
    const source = start({ context: user })
    await source.ready()
    await source.refresh()
    server.text = answerOf(false)
    const changed = next(source, 'changed')
    await source.refresh()
    expect(await changed).toEqual({ type: 'changed', flags: ['use_streaming'] })
    expect(source.describe().flags).toEqual([{ key: 'use_streaming', rule: 'false (SPLIT)' }])
  })

  it('leaves no timer behind', async () => {
    server.fault = 'stalled headers'
    const source = start()
    const waiting = source.ready()
    while (server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await Promise.all([source.close(), expect(waiting).rejects.toThrow('was closed')])
    await new Promise((resolve) => setImmediate(resolve))
    expect(clock.pending).toBe(0)
    expect(ask(source)).toMatchObject({ value: false })
    expect(source.describe().status).toBe('closed')
  })
})

it.each([
  ['baseUrl', { baseUrl: 'nowhere' }],
  ['firstAnswer', { baseUrl: 'http://127.0.0.1', firstAnswer: 0 }],
  ['maxContexts', { baseUrl: 'http://127.0.0.1', maxContexts: -1 }],
])('refuses a wrong %s', (path, options) => {
  expect(() => ofrepFlags(options)).toThrow(expect.objectContaining({ code: 'invalid_option', path }))
})
