import { manualClock, type ManualClock } from '@millrace/testing/async'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  type AgentOptions,
  createAgent,
  createCircuitBreaker,
  createRetryBudget,
  type LocalAgent,
  type ModelClient,
  type RunInput,
  type RunResult,
} from '../../src/index.ts'
import { isRecord } from '../../src/kit/guards.ts'
import { question, request } from '../support/scripted.ts'

const usage = { input_tokens: 1, output_tokens: 1 }
const head = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, usage }
const answer = { ...head, content: [{ type: 'text', text: 'Hello' }], stop_reason: 'end_turn' }
const lost = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' })

/** Milliseconds after which the proxy restarts, and cuts whatever is open. */
const restart = 1_000
const second = 1_000

interface Proxy {
  readonly client: ModelClient
  /** Milliseconds from the restart to each request behind it, and whether it streamed. */
  readonly after: readonly { readonly at: number; readonly streams: boolean }[]
}

/** A model whose answers take two seconds, behind a proxy that cuts all of them once, after the first word. */
function restartingProxy(clock: ManualClock): Proxy {
  const start = clock.now()
  const wait = (until: number): Promise<void> =>
    new Promise((resolve) => void clock.setTimer(resolve, Math.max(0, until - clock.now())))
  const after: { at: number; streams: boolean }[] = []

  async function answerInFull(): Promise<void> {
    const asked = clock.now()
    const isCut = asked < start + restart
    await wait(isCut ? start + restart : asked + 2_000)
    if (isCut) throw lost()
  }

  async function* stream(): AsyncGenerator {
    yield { type: 'message_start', message: head }
    yield { type: 'content_block_start', index: 0, content_block: { type: 'text', text: 'Hello' } }
    await answerInFull()
    yield { type: 'content_block_stop', index: 0 }
    yield { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage }
  }

  const client = {
    messages: {
      async create(body: unknown) {
        const streams = isRecord(body) && body['stream'] === true
        const at = clock.now() - start - restart
        if (at >= 0) after.push({ at, streams })
        if (streams) return stream()
        await answerInFull()
        return answer
      },
    },
  }
  return { client, after }
}

const turnOfTheLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await turnOfTheLoop()
    clock.advance(50)
  }
  await turnOfTheLoop()
}

interface Restarted {
  readonly results: readonly RunResult[]
  readonly after: Proxy['after']
}

/** So many runs at once on one agent, whose every request is cut at one moment. */
async function restartUnder(
  count: number,
  recovery: AgentOptions['recovery'] = {},
  input: Omit<RunInput, 'messages'> = {},
): Promise<Restarted> {
  const clock = manualClock()
  const proxy = restartingProxy(clock)
  const agent: LocalAgent = createAgent({
    client: proxy.client,
    request,
    recovery: { budget: createRetryBudget({ clock }), ...recovery },
    runtime: { clock, random: () => 0 },
  })
  const runs = Array.from({ length: count }, () => agent.run({ ...input, messages: question }).result)
  await pass(clock, 70 * second)
  return { results: await Promise.all(runs), after: proxy.after }
}

const outcomes = (results: readonly RunResult[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { outcome } of results) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

/** The most requests of any second. */
function peak(after: Proxy['after']): number {
  return Math.max(...after.map(({ at: from }) => after.filter(({ at }) => at >= from && at < from + second).length))
}

describe('a proxy that restarts, and cuts all streams of an agent at one moment', () => {
  /** The rows of the table in the documentation. */
  const page = readFileSync(new URL('../../../../docs/recovery.md', import.meta.url), 'utf8').split('\n')

  it.each([10, 30, 100, 1_000])('fails none of %i runs, at a bounded rate', async (count) => {
    const { results, after } = await restartUnder(count)
    expect(outcomes(results)).toEqual({ completed: count })
    expect(results.every(({ text }) => text === 'Hello')).toBe(true)
    // The breaker has opened, so that none of them streams.
    expect(after).toHaveLength(count)
    expect(after.filter(({ streams }) => streams)).toHaveLength(0)
    const last = Math.max(...after.map(({ at }) => at)) / second
    const runs = count.toLocaleString('en')
    const row = `| ${runs} | ${runs} | ${peak(after)} | ${last.toFixed(1)} s |`
    expect(page.filter((line) => line.startsWith(`| ${runs} | `))).toEqual([row])
  })

  it.each<[name: string, input: Omit<RunInput, 'messages'>]>([
    ['that do not stream', { mode: 'buffered' }],
    ['whose text cannot be retracted', { callbacks: { onText() {} } }],
    ['that hold their text back', { retraction: 'hold' }],
  ])('fails none of 100 runs %s', async (_name, input) => {
    const { results } = await restartUnder(100, {}, input)
    expect(outcomes(results)).toEqual({ completed: 100 })
  })

  it('fails none of 100 runs without a breaker either', async () => {
    const { results } = await restartUnder(100, { breaker: createCircuitBreaker({ failureRatio: 2 }) })
    expect(outcomes(results)).toEqual({ completed: 100 })
  })

  it('fails none where the budget is one that knows no rescue', async () => {
    const budget = { request() {}, take: () => false, left: 0 }
    const { results, after } = await restartUnder(30, { budget })
    expect(outcomes(results)).toEqual({ completed: 30 })
    expect(after.every(({ streams }) => !streams)).toBe(true)
  })

  it('fails the runs that would wait longer than they may, for the reason that broke them', async () => {
    const clock = manualClock()
    const budget = createRetryBudget({ clock, minimum: 0, ratio: 0, rescueRate: 1, rescueWait: 9_000 })
    const { results } = await restartUnder(30, { budget, breaker: createCircuitBreaker({ clock }) })
    expect(outcomes(results)).toEqual({ completed: 10, failed: 20 })
    expect(new Set(results.map(({ error }) => error?.code))).toEqual(new Set([undefined, 'connection_lost']))
  })

  it('fails all where no extra request is allowed', async () => {
    expect(outcomes((await restartUnder(20, { extraRequests: 0 })).results)).toEqual({ failed: 20 })
  })
})

describe('a rescue', () => {
  it('is the one request of a turn beyond the budget: its failure is the end', async () => {
    const clock = manualClock()
    let asked = 0
    const create = (): Promise<never> => {
      asked += 1
      return Promise.reject(lost())
    }
    const budget = createRetryBudget({ clock, ratio: 0, minimum: 0 })
    const agent = createAgent({ client: { messages: { create } }, request, recovery: { budget, backoff: 0 } })
    expect((await agent.run({ messages: question }).result).outcome).toBe('failed')
    expect(asked).toBe(2)
  })

  it('that waits for its place ends with an interrupt', async () => {
    const clock = manualClock()
    const proxy = restartingProxy(clock)
    const budget = createRetryBudget({ clock, ratio: 0, minimum: 0, rescueRate: 0.1 })
    const agent = createAgent({ client: proxy.client, request, recovery: { budget }, runtime: { clock } })
    const runs = [agent.run({ messages: question }), agent.run({ messages: question })] as const
    await pass(clock, 6 * second)
    expect((await runs[0].result).outcome).toBe('completed')
    expect(proxy.after).toHaveLength(1)
    runs[1].interrupt()
    expect((await runs[1].result).outcome).toBe('interrupted')
    expect(clock.pending).toBe(0)
  })

  it('has a place each 50 ms, or more often where the agent asks more', () => {
    const clock = manualClock()
    const budget = createRetryBudget({ clock })
    const places = (): (number | undefined)[] => Array.from({ length: 3 }, () => budget.rescue?.())
    expect(places()).toEqual([0, 50, 100])
    clock.advance(60_000)
    for (let count = 0; count < 60_000; count++) budget.request()
    expect(places()).toEqual([0, 10, 20])
  })
})
