import { text, toolUse, type Turn } from '@millrace/testing'
import { deferred, manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import {
  type AgentEvent,
  defineTool,
  type Middleware,
  type MillraceError,
  type RunResult,
  type RunScope,
} from '../../src/index.ts'
import { agentOn, claudeFor, eventsOf, only, question } from '../support/scripted.ts'

const script: readonly Turn[] = [
  { content: [text('I look.'), toolUse('look_up', { order: '17' }, { id: 'toolu_1' })] },
  { content: [text('Here you are.')] },
]

interface Ran {
  readonly result: RunResult
  readonly events: readonly AgentEvent[]
  readonly warnings: readonly MillraceError[]
  /** How often the tool ran and the model was asked. */
  readonly toolRuns: number
  readonly requests: readonly unknown[]
}

async function runWith(use: readonly Middleware[], clock: ManualClock = manualClock()): Promise<Ran> {
  const claude = await claudeFor(script)
  const warnings: MillraceError[] = []
  let toolRuns = 0
  const lookUp = defineTool({
    name: 'look_up',
    description: '',
    inputSchema: { jsonSchema: { type: 'object' } },
    run(input) {
      toolRuns += 1
      return { found: input }
    },
  })
  const agent = agentOn(claude, {
    use,
    tools: [lookUp],
    limits: { middlewareGrace: 5_000 },
    runtime: { clock },
    onWarning: (error) => warnings.push(error),
  })
  const run = agent.run({ messages: question, runId: 'run-1', sessionId: 'session-1' })
  const events = await eventsOf(run)
  return { result: await run.result, events, warnings, toolRuns, requests: claude.requests.map(({ body }) => body) }
}

/** What each of the three onions is around. */
const kinds = ['run', 'turn', 'tool'] as const
type Kind = (typeof kinds)[number]
const times: Readonly<Record<Kind, number>> = { run: 1, turn: 2, tool: 1 }

type Around = (next: () => Promise<unknown>) => unknown

/** A middleware of one kind. What it gives may be anything, as in JavaScript. */
function layer(name: string, kind: Kind, around: Around): Middleware {
  const call = (given: unknown, next: (given: never) => Promise<unknown>): Promise<never> => {
    const holder: object = { run: () => around(() => Reflect.apply(next, undefined, [given])) }
    return Reflect.apply(Reflect.get(holder, 'run'), holder, [])
  }
  return { name, [kind]: call }
}

describe('the onion', () => {
  it.each(kinds)('around a %s is entered from the first to the last, and left the other way', async (kind) => {
    const steps: string[] = []
    const log = (name: string): Middleware =>
      layer(name, kind, async (next) => {
        steps.push(`${name} in`)
        const given = await next()
        steps.push(`${name} out`)
        return given
      })
    const { result, warnings } = await runWith([log('a'), log('b'), log('c')])
    const once = ['a in', 'b in', 'c in', 'c out', 'b out', 'a out']
    expect(steps).toEqual(Array.from({ length: times[kind] }, () => once).flat())
    expect(result.outcome).toBe('completed')
    expect(warnings).toEqual([])
  })

  it('may change a request, a call, and what came of them', async () => {
    const inputs: unknown[] = []
    const changes: Middleware = {
      name: 'changes',
      run: async (_scope, next) => ({ ...(await next()), text: 'other words' }),
      turn: (scope, next) => next({ ...scope, request: { ...scope.request, system: `turn ${scope.turn}` } }),
      tool: async (call, next, scope) => {
        inputs.push([call.input, call.idempotencyKey, call.readOnly, call.streams, scope.sessionId])
        const end = await next({ ...call, input: { order: '18' } })
        return { ...end, result: `${String(end.result)}!` }
      },
    }
    const { result, requests, events } = await runWith([changes])
    expect(result.text).toBe('other words')
    expect(requests).toMatchObject([{ system: 'turn 1' }, { system: 'turn 2' }])
    expect(inputs).toEqual([[{ order: '17' }, 'run-1:toolu_1', false, true, 'session-1']])
    expect(only(events, 'tool.finished')).toMatchObject([
      { input: { order: '17' }, result: '{"found":{"order":"18"}}!' },
    ])
  })

  it('may answer a call without running the tool, and never a turn or a run without asking', async () => {
    const answers: Middleware = {
      name: 'cache',
      tool: () => Promise.resolve({ outcome: 'ok', result: 'from the cache' }),
    }
    const cached = await runWith([answers])
    expect(cached.toolRuns).toBe(0)
    expect(cached.warnings).toEqual([])
    expect(only(cached.events, 'tool.finished')).toMatchObject([{ outcome: 'ok', result: 'from the cache' }])
    for (const kind of ['run', 'turn'] as const) {
      const { result, warnings } = await runWith([
        layer('lazy', kind, () => ({ status: 'whole', outcome: 'completed', messages: [] })),
      ])
      expect(result.text).toBe('Here you are.')
      expect(warnings).toHaveLength(times[kind])
    }
  })

  it('knows its run, and is told of every event from then on', async () => {
    const scopes: RunScope[] = []
    const seen: string[] = []
    const watch: Middleware = {
      name: 'watch',
      run(scope, next) {
        scopes.push(scope)
        scope.observe(({ type }) => seen.push(type))
        scope.observe(() => {
          throw new Error('an observer of another mind')
        })
        return next()
      },
    }
    const { events, warnings } = await runWith([watch])
    expect(scopes).toMatchObject([
      { runId: 'run-1', sessionId: 'session-1', model: 'claude-opus-5-5', decision: { mode: 'stream' } },
    ])
    expect(seen).toEqual(events.slice(1).map(({ type }) => type))
    expect(warnings).toHaveLength(seen.length)
    expect(warnings[0]).toMatchObject({ code: 'middleware_failed' })
  })

  it('calls an observer once per event if two layers add it', async () => {
    const seen: string[] = []
    const observer = ({ type }: AgentEvent): void => void seen.push(type)
    const observing = (name: string): Middleware => ({ name, run: (scope, next) => (scope.observe(observer), next()) })
    const { events } = await runWith([observing('outer'), observing('inner')])
    expect(seen).toEqual(events.slice(1).map(({ type }) => type))
  })
})

const wrong: readonly (readonly [string, Around])[] = [
  ['throws before next', () => fail()],
  ['rejects before next', () => Promise.reject(new Error('mine'))],
  ['throws after next', async (next) => (await next(), fail())],
  ['gives nothing', () => undefined],
  ['gives nothing after next', async (next) => void (await next())],
  ['gives nonsense after next', async (next) => (await next(), 'fine')],
  ['calls next twice and throws', async (next) => (await next(), await next(), fail())],
]

function fail(): never {
  throw new Error('mine')
}

describe.each(wrong)('a middleware that %s', (_how, around) => {
  it.each(kinds)('around a %s is reported and left out: everything happens once', async (kind) => {
    const plain = await runWith([])
    const outer: unknown[] = []
    const inner: unknown[] = []
    const watch = (seen: unknown[]): Middleware => layer('watch', kind, async (next) => (seen.push(1), await next()))
    const ran = await runWith([watch(outer), layer('wrong', kind, around), watch(inner)])
    expect(ran.result).toEqual(plain.result)
    expect(ran.toolRuns).toBe(1)
    expect(ran.requests).toEqual(plain.requests)
    expect(outer).toHaveLength(times[kind])
    expect(inner).toHaveLength(times[kind])
    expect(ran.warnings).toHaveLength(times[kind])
    for (const warning of ran.warnings) {
      expect(warning).toMatchObject({
        code: 'middleware_failed',
        message: 'The middleware "wrong" failed and was left out',
      })
    }
  })
})

describe('a middleware that hangs', () => {
  const hang = (): Promise<never> => new Promise(() => {})
  const slow: readonly (readonly [when: string, kind: Kind, around: Around])[] = [
    ['before next', 'run', hang],
    ['before next', 'turn', hang],
    ...kinds.map(
      (kind) => ['after next', kind, async (next: () => Promise<unknown>) => (await next(), await hang())] as const,
    ),
  ]

  it.each(slow)('%s, around a %s, is left out when its time is up', async (_when, kind, around) => {
    const clock = manualClock()
    const ran = runWith([layer('slow', kind, around)], clock)
    await expireAll(clock, ran)
    const { result, warnings, toolRuns } = await ran
    expect(result).toMatchObject({ outcome: 'completed', text: 'Here you are.' })
    expect(warnings.map(({ message }) => message)).toEqual(
      Array.from({ length: times[kind] }, () => 'The middleware "slow" failed and was left out'),
    )
    expect(toolRuns).toBe(1)
    expect(clock.pending).toBe(0)
  })

  it('around a tool, before next, is the one that may take its time: it may ask a person', async () => {
    const clock = manualClock()
    const asked = deferred()
    const allowed = deferred()
    const ask = layer('ask', 'tool', async (next) => {
      asked.resolve()
      await allowed.promise
      return next()
    })
    const ran = runWith([ask], clock)
    await asked.promise
    clock.advance(3_600_000)
    allowed.resolve()
    const { result, warnings } = await ran
    expect(result.outcome).toBe('completed')
    expect(warnings).toEqual([])
  })
})

/** Lets the time of a middleware run out whenever it is waited for, until the run is over. */
async function expireAll(clock: ManualClock, ran: Promise<unknown>): Promise<void> {
  const end = ran.then(() => 'over')
  while ((await Promise.race([end, clock.timer(5_000)])) !== 'over') {
    clock.advance(5_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
