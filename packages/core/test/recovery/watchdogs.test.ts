import { manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { type AgentEvent, type AgentRun, createAgent, type RecoveryOptions } from '../../src/index.ts'
import { only, question, request } from '../support/scripted.ts'
import { type Exchange, type ManualModel, manualModel, settled } from './manual-model.ts'

interface Watched {
  readonly clock: ManualClock
  readonly model: ManualModel
  readonly run: AgentRun
  /** What was emitted so far. */
  readonly events: readonly AgentEvent[]
  readonly first: Exchange
}

async function watched(recovery: RecoveryOptions = {}): Promise<Watched> {
  const clock = manualClock()
  const model = manualModel()
  const events: AgentEvent[] = []
  const agent = createAgent({
    client: model.client,
    request,
    recovery: { streamRetries: 0, backoff: 0, ...recovery },
    runtime: { clock },
  })
  const run = agent.run({
    messages: question,
    mode: 'stream',
    callbacks: { onEvent: (event) => void events.push(event) },
  })
  return { clock, model, run, events, first: await model.exchange(0) }
}

/** Lets time pass that a healthy stream may take, and then the last ms of it. */
async function expectDeadAfter({ clock, events, first }: Watched, ms: number, reason: string): Promise<void> {
  clock.advance(ms - 1)
  await settled()
  expect(only(events, 'fallback')).toEqual([])
  expect(first.signal.aborted).toBe(false)
  clock.advance(1)
  await settled()
  expect(only(events, 'fallback')).toMatchObject([{ to: 'buffered', reason }])
  expect(first.signal.aborted).toBe(true)
}

async function expectRecovered({ model, run, clock }: Watched): Promise<void> {
  const second = await model.exchange(1)
  second.answer([{ type: 'text', text: 'Hello after all' }])
  expect(await run.result).toMatchObject({ outcome: 'completed', text: 'Hello after all' })
  expect(clock.pending).toBe(0)
}

const ping = { type: 'ping' }

describe('a stream is dead', () => {
  it.each([
    ['by default', {}, 120_000],
    ['as the option says', { connectTimeout: 700 }, 700],
  ])('without headers for connectTimeout: %s', async (_name, recovery, ms) => {
    const given = await watched(recovery)
    await expectDeadAfter(given, ms, 'connect_timeout')
    await expectRecovered(given)
  })

  it.each([
    ['by default', {}, 280_000],
    ['as the option says', { idleTimeoutWithoutPings: 900 }, 900],
  ])('without a byte for idleTimeoutWithoutPings, where no ping was seen: %s', async (_name, recovery, ms) => {
    const given = await watched(recovery)
    given.first.begin('Hello')
    await settled()
    await expectDeadAfter(given, ms, 'idle_timeout')
    await expectRecovered(given)
  })

  it('without a byte behind the headers', async () => {
    const given = await watched()
    given.first.open()
    await settled()
    await expectDeadAfter(given, 280_000, 'idle_timeout')
    await expectRecovered(given)
  })

  it.each([
    ['by default', {}, 120_000],
    ['as the option says', { idleTimeout: 800 }, 800],
  ])('without a byte for idleTimeout, once a ping was seen: %s', async (_name, recovery, ms) => {
    const given = await watched(recovery)
    given.first.begin('Hello')
    given.first.send(ping)
    await settled()
    await expectDeadAfter(given, ms, 'idle_timeout')
    await expectRecovered(given)
  })

  it.each([
    ['by default', {}, 600_000],
    ['as the option says', { contentTimeout: 90_000 }, 90_000],
  ])('with pings but no content for contentTimeout: %s', async (_name, recovery, ms) => {
    const given = await watched(recovery)
    given.first.begin('Hello')
    for (let passed = 0; passed < ms - 30_000; passed += 30_000) {
      given.first.send(ping)
      await settled()
      given.clock.advance(30_000)
      await settled()
    }
    given.first.send(ping)
    await settled()
    expect(only(given.events, 'fallback')).toEqual([])
    await expectDeadAfter(given, 30_000, 'content_timeout')
    await expectRecovered(given)
  })
})

describe('a stream that crawls', () => {
  it('is dead after contentTimeout without 32 characters', async () => {
    const given = await watched({ contentTimeout: 20_000 })
    given.first.begin('')
    for (let second = 1; second < 20; second++) {
      await settled()
      given.clock.advance(1_000)
      await settled()
      given.first.more('x')
    }
    await settled()
    await expectDeadAfter(given, 1_000, 'content_timeout')
    await expectRecovered(given)
  })

  it('is dead 30 s after a character, below minThroughput', async () => {
    const given = await watched({ minThroughput: 5 })
    given.first.begin('x'.repeat(149))
    await settled()
    await expectDeadAfter(given, 30_000, 'content_timeout')
    await expectRecovered(given)
  })

  it('is dead within 30 s of its first slow character, however quick it was before', async () => {
    const given = await watched({ minThroughput: 5 })
    given.first.begin('x'.repeat(2_000))
    await settled()
    given.clock.advance(20_000)
    await settled()
    given.first.more('slow')
    await settled()
    await expectDeadAfter(given, 30_000, 'content_timeout')
    await expectRecovered(given)
  })

  it.each<[name: string, recovery: RecoveryOptions, piece: string]>([
    ['if it gives minThroughput', { minThroughput: 5 }, 'x'.repeat(50)],
    ['if no minThroughput is asked for', {}, 'words'],
  ])('lives %s', async (_name, recovery, piece) => {
    const { first, clock, run, events } = await watched(recovery)
    first.begin(piece)
    for (let pieces = 1; pieces < 30; pieces++) {
      await settled()
      clock.advance(10_000)
      await settled()
      first.more(piece)
    }
    first.finish()
    expect((await run.result).text).toBe(piece.repeat(30))
    expect(only(events, 'fallback')).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('lives with any minThroughput while it is silent between two blocks, as when a server tool runs', async () => {
    const { first, clock, run, events } = await watched({ minThroughput: 1_000 })
    first.begin('I look.')
    first.send({ type: 'content_block_stop', index: 0 })
    await settled()
    clock.advance(100_000)
    await settled()
    first.finish()
    expect((await run.result).text).toBe('I look.')
    expect(only(events, 'fallback')).toEqual([])
  })
})

describe('a stream lives', () => {
  it('as long as some words come, however long it takes', async () => {
    const given = await watched()
    const { first, clock, run, events } = given
    first.begin('0')
    for (let piece = 1; piece <= 20; piece++) {
      await settled()
      clock.advance(279_000)
      await settled()
      first.more(` one word, ${piece}, of many`)
    }
    first.finish()
    expect((await run.result).text.split(',')).toHaveLength(41)
    expect(only(events, 'fallback')).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('by comments too: bytes are bytes', async () => {
    const { first, clock, run, events } = await watched()
    first.begin('Hello')
    await settled()
    clock.advance(279_000)
    first.sendRaw(': still here\n\n')
    await settled()
    clock.advance(279_000)
    await settled()
    expect(only(events, 'fallback')).toEqual([])
    first.finish()
    expect((await run.result).outcome).toBe('completed')
  })

  it('while nobody reads: that silence is ours', async () => {
    const { first, clock, run, events } = await watched()
    const reader = run[Symbol.asyncIterator]()
    await reader.next()
    first.begin('0')
    for (let piece = 1; piece <= 400; piece++) first.more(` ${piece}`)
    await settled()
    const before = events.length
    expect(before).toBeLessThan(300)
    clock.advance(3_600_000)
    await settled()
    expect(only(events, 'fallback')).toEqual([])
    expect(first.signal.aborted).toBe(false)
    expect(events).toHaveLength(before)
    // It reads on, and the stream is given its whole time again.
    first.finish()
    for (let step = await reader.next(); step.done !== true; step = await reader.next());
    expect((await run.result).text.split(' ')).toHaveLength(401)
    expect(clock.pending).toBe(0)
  })

  it('and is watched again when somebody reads on', async () => {
    const given = await watched()
    const { first, clock, run } = given
    const reader = run[Symbol.asyncIterator]()
    await reader.next()
    first.begin('0')
    for (let piece = 1; piece <= 200; piece++) first.more(` ${piece}`)
    await settled()
    clock.advance(3_600_000)
    await reader.return?.()
    await settled()
    await expectDeadAfter(given, 280_000, 'idle_timeout')
    await expectRecovered(given)
  })
})
