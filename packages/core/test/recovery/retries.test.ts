import Anthropic from '@anthropic-ai/sdk'
import { type FaultRule, text, toolUse } from '@millrace/testing'
import { manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import {
  type AgentEvent,
  createAgent,
  defineTool,
  type ModelClient,
  type RecoveryOptions,
  type RunResult,
} from '../../src/index.ts'
import { agentOn, claudeFor, clientOf, eventsOf, only, question, request } from '../support/scripted.ts'
import { manualModel, settled } from './manual-model.ts'

interface Waited {
  readonly events: readonly AgentEvent[]
  readonly result: RunResult
  readonly modes: readonly string[]
}

/** Runs against faults, and lets each of these delays pass in turn; a run that waits for another one hangs. */
async function runWaiting(
  fault: FaultRule,
  delays: readonly number[],
  { recovery = {}, random = 0 }: { recovery?: RecoveryOptions; random?: number } = {},
): Promise<Waited> {
  const clock = manualClock()
  const claude = await claudeFor([{ content: [text('Hello')] }], { faults: [fault] })
  const agent = createAgent({
    client: clientOf(claude),
    request,
    recovery,
    runtime: { clock, random: () => random },
  })
  const run = agent.run({ messages: question, mode: 'stream' })
  const collected = eventsOf(run)
  for (const delay of delays) {
    await clock.timer(delay)
    clock.advance(delay)
  }
  const result = await run.result
  const events = await collected
  expect(clock.pending).toBe(0)
  expect(claude.requests).toHaveLength(only(events, 'turn.started').length)
  return { events, result, modes: only(events, 'turn.started').map(({ mode }) => mode) }
}

const always = (status: number): FaultRule => ({ kind: 'status', status, times: 'forever' })

describe('what is asked again', () => {
  it('is one stream and three bodies by default, twice as long apart each time', async () => {
    const { result, modes, events } = await runWaiting(always(500), [500, 1_000, 2_000, 4_000])
    expect(modes).toEqual(['stream', 'stream', 'buffered', 'buffered', 'buffered'])
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'server_error', status: 500, retryable: true } })
    expect(only(events, 'fallback').map(({ from, to, reason, stage }) => [from, to, reason, stage])).toEqual([
      ['stream', 'stream', 'server_error', 'before_output'],
      ['stream', 'buffered', 'server_error', 'before_output'],
      ['buffered', 'buffered', 'server_error', 'before_output'],
      ['buffered', 'buffered', 'server_error', 'before_output'],
    ])
  })

  it.each<[RecoveryOptions, readonly number[], readonly string[]]>([
    [{ streamRetries: 0 }, [500, 1_000, 2_000], ['stream', 'buffered', 'buffered', 'buffered']],
    [{ streamRetries: 2, bufferedRetries: 0 }, [500, 1_000, 2_000], ['stream', 'stream', 'stream', 'buffered']],
    [{ extraRequests: 0 }, [], ['stream']],
    [{ extraRequests: 2 }, [500, 1_000], ['stream', 'stream', 'buffered']],
    [
      { bufferedRetries: 9, streamRetries: 0 },
      [500, 1_000, 2_000, 4_000, 8_000, 8_000],
      ['stream', ...Array<string>(6).fill('buffered')],
    ],
    [{ backoff: 40, maxBackoff: 100, extraRequests: 3 }, [40, 80, 100], ['stream', 'stream', 'buffered', 'buffered']],
  ])('follows %j', async (recovery, delays, expected) => {
    const { modes, result } = await runWaiting(always(529), delays, { recovery })
    expect(modes).toEqual(expected)
    expect(result.error?.code).toBe('overloaded')
  })

  it('jitters by at most a quarter less', async () => {
    const half = await runWaiting(always(500), [437.5, 875, 1_750, 3_500], { random: 0.5 })
    const full = await runWaiting(always(500), [375, 750, 1_500, 3_000], { random: 1 })
    expect([half.modes, full.modes].map(({ length }) => length)).toEqual([5, 5])
  })

  it.each([400, 401, 402, 403, 404, 413])('is nothing after a %i', async (status) => {
    const { modes, result } = await runWaiting(always(status), [])
    expect(modes).toEqual(['stream'])
    expect(result).toMatchObject({ outcome: 'failed', error: { retryable: false, status } })
  })

  it.each([408, 409, 429, 500, 502, 503, 529])('is asked again after one %i', async (status) => {
    const { modes, result } = await runWaiting({ kind: 'status', status, times: 1 }, [500])
    expect(modes).toEqual(['stream', 'stream'])
    expect(result.outcome).toBe('completed')
  })

  it('counts extra requests over all turns of a run', async () => {
    const lookUp = defineTool({
      name: 'look_up',
      description: '',
      inputSchema: { jsonSchema: { type: 'object' } },
      run: () => 'x',
    })
    const turns = [1, 2, 3].map((n) => ({ content: [toolUse('look_up', { n }, { id: `toolu_${n}` })] }))
    const claude = await claudeFor([...turns, { content: [text('Done.')] }], {
      faults: [{ kind: 'refused', attempt: 1, times: 'forever' }],
    })
    const limited = agentOn(claude, { tools: [lookUp], recovery: { extraRequests: 3 } })
    expect(await limited.run({ messages: question }).result).toMatchObject({ outcome: 'failed', turns: 4 })
    const enough = agentOn(claude, { tools: [lookUp], recovery: { extraRequests: 4 } })
    expect(await enough.run({ messages: [{ role: 'user', content: 'Again' }] }).result).toMatchObject({
      outcome: 'completed',
    })
  })
})

describe('retry-after', () => {
  const date = new Date(manualClock().now() + 5_000).toUTCString()

  it.each<[string, Pick<Extract<FaultRule, { kind: 'status' }>, 'retryAfter' | 'retryAfterMs'>, number]>([
    ['seconds', { retryAfter: '2' }, 2_000],
    ['a fraction of seconds', { retryAfter: '0.25' }, 250],
    ['a date', { retryAfter: date }, 5_000],
    ['milliseconds, which win', { retryAfterMs: '1500', retryAfter: '7' }, 1_500],
    ['a day, which is capped', { retryAfter: '86400' }, 30_000],
    ['for ever, which is capped', { retryAfter: '1e999' }, 30_000],
    ['a date far away, which is capped', { retryAfter: 'Fri, 31 Dec 9999 23:59:59 GMT' }, 30_000],
    ['nothing that can be read', { retryAfter: 'soon' }, 500],
    ['nothing at all', { retryAfter: ' ' }, 500],
    ['milliseconds that are none', { retryAfterMs: 'x', retryAfter: '3' }, 3_000],
  ])('says %s', async (_name, header, delay) => {
    const { result } = await runWaiting({ kind: 'status', status: 429, times: 1, ...header }, [delay])
    expect(result.outcome).toBe('completed')
  })

  it('in the past is at once', async () => {
    const fault: FaultRule = { kind: 'status', status: 429, times: 1, retryAfter: 'Thu, 01 Jan 1970 00:00:00 GMT' }
    expect((await runWaiting(fault, [])).result.outcome).toBe('completed')
  })

  it('has a cap of its own', async () => {
    const fault: FaultRule = { kind: 'status', status: 429, times: 1, retryAfter: '86400' }
    expect((await runWaiting(fault, [100], { recovery: { retryAfterCap: 100 } })).result.outcome).toBe('completed')
  })
})

describe('a run whose stream failed', () => {
  const lookUp = defineTool({
    name: 'look_up',
    description: '',
    inputSchema: { jsonSchema: { type: 'object' } },
    run: () => 'x',
  })
  const script = [{ content: [toolUse('look_up', {}, { id: 'toolu_1' })] }, { content: [text('Done.')] }]

  it.each([
    ['twice in one turn does not stream any more', 2, ['stream', 'stream', 'buffered', 'buffered']],
    ['once streams again, and in the next turn', 1, ['stream', 'stream', 'stream']],
  ] as const)('%s', async (_name, times, modes) => {
    const claude = await claudeFor(script, { faults: [{ kind: 'destroy', at: { event: 2 }, times }] })
    const events = await eventsOf(agentOn(claude, { tools: [lookUp] }).run({ messages: question }))
    expect(only(events, 'turn.started').map(({ mode }) => mode)).toEqual(modes)
    expect(claude.requests.map(({ stream }) => (stream ? 'stream' : 'buffered'))).toEqual(modes)
  })
})

describe('a body that takes longer than the HTTP client waits', () => {
  /** What Node's fetch rejects with after 300 s. */
  const gaveUp = (): TypeError =>
    new TypeError('fetch failed', {
      cause: Object.assign(new Error('Headers Timeout Error'), {
        name: 'HeadersTimeoutError',
        code: 'UND_ERR_HEADERS_TIMEOUT',
      }),
    })

  it('is streamed, and shown as one', async () => {
    const claude = await claudeFor([{ content: [text('A long answer.')], chunking: { sizes: [2] } }])
    const fails: typeof fetch = (url, init) =>
      String(init?.body).includes('"stream":true') ? fetch(url, init) : Promise.reject(gaveUp())
    const client = new Anthropic({ apiKey: 'sk-test', baseURL: claude.url, maxRetries: 0, fetch: fails })
    const run = createAgent({ client, request, recovery: { backoff: 0 } }).run({ messages: question, mode: 'buffered' })
    const events = await eventsOf(run)
    expect(await run.result).toMatchObject({ outcome: 'completed', text: 'A long answer.' })
    expect(claude.requests.map(({ stream }) => stream)).toEqual([true])
    expect(only(events, 'turn.started').map(({ mode }) => mode)).toEqual(['buffered', 'buffered'])
    expect(only(events, 'fallback')).toMatchObject([{ from: 'buffered', to: 'buffered', reason: 'connect_timeout' }])
    expect(only(events, 'text.delta').map((event) => event.text)).toEqual(['A long answer.'])
  })

  it('shows nothing before it is whole, and starts over where that breaks', async () => {
    const clock = manualClock()
    const model = manualModel()
    const run = collectedRun(model.client, clock)
    const seen: AgentEvent[] = []
    const collected = (async () => {
      for await (const event of run) seen.push(event)
    })()
    const limit = Object.assign(new Error('Request timed out.'), { name: 'APIConnectionTimeoutError' })
    ;(await model.exchange(0)).fail(limit)
    const broken = await model.exchange(1)
    expect(broken.streams).toBe(true)
    broken.begin('One')
    await settled()
    expect(only(seen, 'block.started')).toEqual([])
    broken.fail(new TypeError('terminated'))
    const whole = await model.exchange(2)
    expect(whole.streams).toBe(true)
    whole.begin('Two')
    whole.finish()
    expect(await run.result).toMatchObject({ outcome: 'completed', text: 'Two' })
    await collected
    expect(only(seen, 'turn.retracted')).toEqual([])
  })

  it('than we wait is asked for again as a body', async () => {
    const clock = manualClock()
    const model = manualModel()
    const run = collectedRun(model.client, clock, { bufferedTimeout: 9_000 })
    const first = await model.exchange(0)
    clock.advance(9_000)
    expect(first.signal.aborted).toBe(true)
    const second = await model.exchange(1)
    expect(second.streams).toBe(false)
    second.answer([{ type: 'text', text: 'At last' }])
    expect(await run.result).toMatchObject({ outcome: 'completed', text: 'At last' })
    expect(clock.pending).toBe(0)
  })
})

function collectedRun(
  client: ModelClient,
  clock: ManualClock,
  recovery: RecoveryOptions = {},
): ReturnType<ReturnType<typeof createAgent>['run']> {
  const agent = createAgent({ client, request, recovery: { backoff: 0, ...recovery }, runtime: { clock } })
  return agent.run({ messages: question, mode: 'buffered' })
}
