import { manualClock, type ManualClock } from '@millrace/testing/async'
import { sized } from '@millrace/config/sized'
import { describe, expect, it } from 'vitest'
import {
  type CircuitState,
  createAgent,
  createCircuitBreaker,
  createRetryBudget,
  type LocalAgent,
  type ModelClient,
  type RecoveryOptions,
  type RunResult,
} from '../../src/index.ts'
import { isRecord } from '../../src/kit/guards.ts'
import { call, errorOf } from '../options/offences.ts'
import { eventsOf, only, question, request } from '../support/scripted.ts'

const usage = { input_tokens: 1, output_tokens: 1 }
const head = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, usage }
const answer = { ...head, content: [{ type: 'text', text: 'Hello' }], stop_reason: 'end_turn' }

async function* stream(): AsyncGenerator {
  yield { type: 'message_start', message: head }
  yield { type: 'content_block_start', index: 0, content_block: { type: 'text', text: 'Hello' } }
  yield { type: 'content_block_stop', index: 0 }
  yield { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage }
}

interface FakeModel {
  readonly client: ModelClient
  /** What its streams do. */
  streams: 'break' | 'work' | 'are overloaded'
  /** How its requests that do not stream end. */
  bodies: 'work' | 'fail'
  /** When each request came: true where it streams. */
  readonly requests: { readonly at: number; readonly streams: boolean }[]
}

/** A model whose every stream breaks, `latency` ms after it was asked for, until told otherwise. */
function fakeModel(clock: ManualClock, latency = 0): FakeModel {
  const model: FakeModel = {
    streams: 'break',
    bodies: 'work',
    requests: [],
    client: {
      messages: {
        async create(body: unknown) {
          const streams = isRecord(body) && body['stream'] === true
          model.requests.push({ at: clock.now(), streams })
          if (latency > 0) await new Promise<void>((resolve) => void clock.setTimer(resolve, latency))
          if (!streams && model.bodies === 'fail') throw Object.assign(new Error('down'), { status: 500 })
          if (!streams) return answer
          if (model.streams === 'break') throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
          if (model.streams === 'are overloaded') throw Object.assign(new Error('busy'), { status: 529 })
          return stream()
        },
      },
    },
  }
  return model
}

function agentOn(model: FakeModel, clock: ManualClock, recovery: RecoveryOptions): LocalAgent {
  return createAgent({ client: model.client, request, recovery, runtime: { clock, random: () => 0 } })
}

const turnOfTheLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Starts a run every 5 ms, which is 200 a second, for so many seconds of simulated time. */
async function load(agent: LocalAgent, clock: ManualClock, seconds: number): Promise<RunResult[]> {
  const runs: Promise<RunResult>[] = []
  for (let tick = 0; tick < seconds * 200; tick++) {
    runs.push(agent.run({ messages: question }).result)
    await turnOfTheLoop()
    clock.advance(5)
  }
  // The last backoffs, rescues and answers.
  for (let step = 0; step < 150; step++) {
    await turnOfTheLoop()
    clock.advance(500)
  }
  return Promise.all(runs)
}

/** The most extra requests that the sliding minute of a budget with default settings allows for so many runs. */
const allowed = (runs: number): number => Math.max(10, runs * 0.1)

/** The most rescues of so many seconds. */
const rescues = (seconds: number): number => 20 * seconds

describe('under 200 runs a second, when every stream fails', () => {
  it('the breaker leaves the stream out: all runs complete, with a handful of extra requests', async () => {
    const clock = manualClock()
    const model = fakeModel(clock)
    const changes: CircuitState[] = []
    const breaker = createCircuitBreaker({ clock })
    breaker.onChange((state) => changes.push(state))
    const results = await load(agentOn(model, clock, { breaker }), clock, 60)
    expect(results).toHaveLength(12_000)
    expect(results.filter(({ outcome }) => outcome !== 'completed')).toEqual([])
    const extra = model.requests.length - results.length
    // Ten streams until it opens, and a probe half a minute later: each was asked again, without streaming.
    expect(model.requests.filter(({ streams }) => streams)).toHaveLength(11)
    expect(extra).toBe(11)
    expect(extra).toBeLessThanOrEqual(allowed(results.length))
    expect(changes).toEqual(['open', 'half_open', 'open'])
  })

  it('and takes a second to do so, those that were under way are rescued, so that all runs complete', async () => {
    const clock = manualClock()
    const model = fakeModel(clock, 1_000)
    const results = await load(agentOn(model, clock, {}), clock, 60)
    expect(results.filter(({ outcome }) => outcome !== 'completed')).toEqual([])
    // Those that were under way when the breaker opened, and a few probes.
    expect(model.requests.length - results.length).toBeLessThanOrEqual(220)
  })

  it('and everything else, retries and rescues keep within their shares, in every minute', async () => {
    const clock = manualClock()
    const model = fakeModel(clock)
    model.bodies = 'fail'
    const start = clock.now()
    const breaker = createCircuitBreaker({ clock, failureRatio: 2 })
    const seconds = sized({ quick: 70, long: 180 })
    const results = await load(agentOn(model, clock, { breaker }), clock, seconds)
    expect(results.every(({ outcome }) => outcome === 'failed')).toBe(true)
    expect(breaker.state).toBe('closed')
    const perSecond = results.length / seconds
    for (let second = 0; second <= seconds - 60; second++) {
      const from = start + second * 1_000
      const within = model.requests.filter(({ at }) => at >= from && at < from + 60_000).length
      // A slot of the sliding minute is 5 s long: what falls out of it does so at once.
      const bound = allowed(perSecond * 65) + rescues(65)
      expect(within - perSecond * 60, `from second ${second}`).toBeLessThanOrEqual(bound)
    }
    expect(model.requests.length - results.length).toBeGreaterThan(1_000)
  })

  it('an agent without a budget of its own would have asked four times each: the test can fail', async () => {
    const clock = manualClock()
    const model = fakeModel(clock)
    model.bodies = 'fail'
    const unlimited = { request: () => {}, take: () => true, left: Number.POSITIVE_INFINITY }
    const breaker = createCircuitBreaker({ clock, failureRatio: 2 })
    const results = await load(agentOn(model, clock, { breaker, budget: unlimited }), clock, 5)
    expect(model.requests.length - results.length).toBeGreaterThan(allowed(results.length) * 10)
  })

  it('streams come back when they work again', async () => {
    const clock = manualClock()
    const model = fakeModel(clock)
    const breaker = createCircuitBreaker({ clock })
    const agent = agentOn(model, clock, { breaker })
    await load(agent, clock, 1)
    expect(breaker.state).toBe('open')
    model.streams = 'work'
    clock.advance(30_000)
    const before = model.requests.length
    const results = await load(agent, clock, 1)
    expect(breaker.state).toBe('closed')
    expect(results.every(({ outcome }) => outcome === 'completed')).toBe(true)
    expect(model.requests.slice(before).every(({ streams }) => streams)).toBe(true)
  })
})

describe('a budget', () => {
  it('is never smaller than its minimum, grows with the requests, and forgets after a minute', () => {
    const clock = manualClock()
    const budget = createRetryBudget({ clock })
    expect(budget.left).toBe(10)
    for (let request = 0; request < 200; request++) budget.request()
    expect(budget.left).toBe(20)
    for (let extra = 0; extra < 20; extra++) expect(budget.take()).toBe(true)
    expect(budget.take()).toBe(false)
    expect(budget.left).toBe(0)
    clock.advance(54_999)
    expect(budget.left).toBe(0)
    clock.advance(5_001)
    expect(budget.left).toBe(10)
    expect(createRetryBudget({ clock, ratio: 0, minimum: 0 }).take()).toBe(false)
  })

  it('is shared by the agents that are given it', async () => {
    const clock = manualClock()
    const budget = createRetryBudget({ clock, ratio: 0, minimum: 3, rescueRate: 0 })
    const models = [fakeModel(clock), fakeModel(clock)]
    const recovery = { budget, backoff: 0 }
    const results: RunResult[] = []
    for (const model of models) results.push(await agentOn(model, clock, recovery).run({ messages: question }).result)
    expect(results.map(({ outcome }) => outcome)).toEqual(['completed', 'failed'])
    expect(models.map(({ requests }) => requests.length)).toEqual([3, 2])
    expect(budget.left).toBe(0)
  })

  it('of an agent is its own where it is given none', async () => {
    const clock = manualClock()
    const models = Array.from({ length: 3 }, () => fakeModel(clock))
    for (const model of models) {
      const agent = agentOn(model, clock, { backoff: 0 })
      for (let run = 0; run < 5; run++) {
        expect((await agent.run({ messages: question }).result).outcome).toBe('completed')
      }
    }
  })
})

describe('a breaker', () => {
  it('opens at the ratio, once there were enough attempts in its window', () => {
    const clock = manualClock()
    const breaker = createCircuitBreaker({ clock, failureRatio: 0.5, minimumAttempts: 4, window: 1_000 })
    breaker.permit()?.succeeded()
    breaker.permit()?.succeeded()
    breaker.permit()?.failed()
    expect(breaker.state).toBe('closed')
    // Too old to count.
    clock.advance(1_001)
    for (let attempt = 0; attempt < 3; attempt++) breaker.permit()?.failed()
    expect(breaker.state).toBe('closed')
    breaker.permit()?.released()
    expect(breaker.state).toBe('closed')
    breaker.permit()?.succeeded()
    expect(breaker.state).toBe('open')
    expect(breaker.permit()).toBeUndefined()
  })

  it('lets one attempt probe at a time, and one after each cooldown', () => {
    const clock = manualClock()
    const breaker = createCircuitBreaker({ clock, minimumAttempts: 1, cooldown: 5_000 })
    breaker.permit()?.failed()
    clock.advance(4_999)
    expect(breaker.permit()).toBeUndefined()
    clock.advance(1)
    const probe = breaker.permit()
    expect(breaker.state).toBe('half_open')
    expect([breaker.permit(), breaker.permit()]).toEqual([undefined, undefined])
    // Interrupted: it says nothing, and the next one may probe.
    probe?.released()
    const next = breaker.permit()
    expect(next).toBeDefined()
    next?.failed()
    next?.succeeded()
    expect(breaker.state).toBe('open')
    clock.advance(5_000)
    breaker.permit()?.succeeded()
    expect(breaker.state).toBe('closed')
  })

  it('tells its listeners, until they leave, and is not hurt by one that throws', () => {
    const clock = manualClock()
    const breaker = createCircuitBreaker({ clock, minimumAttempts: 1, cooldown: 1 })
    const heard: CircuitState[] = []
    breaker.onChange(() => {
      throw new Error('a listener')
    })
    const leave = breaker.onChange((state) => heard.push(state))
    breaker.permit()?.failed()
    clock.advance(1)
    breaker.permit()?.succeeded()
    leave()
    breaker.permit()?.failed()
    expect(heard).toEqual(['open', 'half_open', 'closed'])
  })

  it('is shared by the agents that are given it, and says why their turns do not stream', async () => {
    const clock = manualClock()
    const breaker = createCircuitBreaker({ clock, minimumAttempts: 2 })
    const models = [fakeModel(clock), fakeModel(clock)] as const
    await agentOn(models[0], clock, { breaker, backoff: 0 }).run({ messages: question }).result
    expect(breaker.state).toBe('open')
    const run = agentOn(models[1], clock, { breaker }).run({ messages: question })
    const events = await eventsOf(run)
    expect(only(events, 'fallback')).toMatchObject([
      { turn: 1, from: 'stream', to: 'buffered', reason: 'circuit_open', stage: 'before_output' },
    ])
    expect(only(events, 'turn.started').map(({ mode }) => mode)).toEqual(['buffered'])
    expect(models[1].requests.map(({ streams }) => streams)).toEqual([false])
  })

  it('does not count what says nothing about streaming', async () => {
    const clock = manualClock()
    const breaker = createCircuitBreaker({ clock, minimumAttempts: 1 })
    const model = fakeModel(clock)
    model.streams = 'are overloaded'
    const { outcome } = await agentOn(model, clock, { breaker, backoff: 0 }).run({ messages: question }).result
    expect(outcome).toBe('completed')
    expect(breaker.state).toBe('closed')
  })

  it('is told nothing by a run that is interrupted while it probes, and lets the next one probe', async () => {
    const clock = manualClock()
    const breaker = createCircuitBreaker({ clock, minimumAttempts: 1, cooldown: 1_000 })
    breaker.permit()?.failed()
    clock.advance(1_000)
    const model = fakeModel(clock, 10)
    const run = agentOn(model, clock, { breaker }).run({ messages: question })
    await turnOfTheLoop()
    expect(breaker.permit()).toBeUndefined()
    run.interrupt()
    expect((await run.result).outcome).toBe('interrupted')
    expect(breaker.state).toBe('half_open')
    expect(breaker.permit()).toBeDefined()
  })
})

it('a budget and a breaker need no options', () => {
  const budget = createRetryBudget()
  expect(budget.left).toBe(10)
  const breaker = createCircuitBreaker()
  for (let attempt = 0; attempt < 10; attempt++) breaker.permit()?.failed()
  expect(breaker.state).toBe('open')
})

it.each<[name: string, create: () => unknown, code: string, path: string]>([
  ['a budget', () => call(createRetryBudget, { ration: 0.1 }), 'unknown_option', 'ration'],
  ['a budget', () => createRetryBudget({ ratio: -1 }), 'invalid_option', 'ratio'],
  ['a budget', () => createRetryBudget({ rescueWait: Number.NaN }), 'invalid_option', 'rescueWait'],
  ['a breaker', () => call(createCircuitBreaker, { cooldwon: 1 }), 'unknown_option', 'cooldwon'],
  ['a breaker', () => createCircuitBreaker({ minimumAttempts: 0 }), 'invalid_option', 'minimumAttempts'],
])('%s refuses a wrong option, with its path', (_name, create, code, path) => {
  expect(errorOf(create)).toMatchObject({ code, path })
})
