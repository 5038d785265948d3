import { text, toolUse, type Turn, validateMessages } from '@millrace/testing'
import { deferred, manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import {
  type AgentEvent,
  createAgent,
  defineTool,
  type InputResult,
  type LocalAgent,
  type Middleware,
  type RunResult,
  type RunStore,
  type Tool,
  type PlainToolOptions,
} from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { manualModel, settled } from '../recovery/manual-model.ts'
import { historyText, screenOf } from '../recovery/screen.ts'
import { claudeFor, clientOf, only, question, request } from '../support/scripted.ts'
import { dyingStore } from './dying-store.ts'
import { storedEvents } from './stored-events.ts'

const inputSchema = { jsonSchema: { type: 'object' } }
const runId = 'run-1'

const turns: readonly Turn[] = [
  { content: [text('I act.'), toolUse('act', { cents: 5 }, { id: 'toolu_1' })] },
  { content: [text('It is done.')] },
]

type Act = Partial<Omit<PlainToolOptions, 'name' | 'description' | 'inputSchema'>>

function act(how: Act): Tool {
  return defineTool({ name: 'act', description: '', inputSchema, run: () => 'acted', ...how })
}

interface Crashed {
  readonly clock: ManualClock
  readonly store: RunStore
  /** An agent of another process, with these tools. */
  readonly next: (tools: readonly Tool[]) => Promise<LocalAgent>
}

/** A process that dies while its call runs: the call's start is stored, its end is not. */
async function crashInCall(how: Act): Promise<Crashed> {
  const clock = manualClock()
  const store = memoryRunStore({ clock })
  const claude = await claudeFor(turns)
  const agentOn = (seen: RunStore, tools: readonly Tool[]): LocalAgent =>
    createAgent({ client: clientOf(claude), request, tools, runtime: { clock }, journal: runJournal(seen) })
  const began = deferred()
  const hangs = act({
    ...how,
    run() {
      began.resolve()
      return new Promise(() => {})
    },
  })
  void agentOn(store, [hangs]).run({ messages: question, runId })
  await began.promise
  // A read-only call waits for no barrier; its start is stored with the deltas.
  clock.advance(25)
  await settled()
  clock.advance(30_000 - 25)
  // The renewals of the dead process are not: it gave its lease back, as far as the store knows.
  await store.renew(runId, 1, 0)
  return { clock, store, next: async (tools) => agentOn(store, tools) }
}

async function takenOver(agent: LocalAgent): Promise<RunResult> {
  const resumed = await agent.resume(runId)
  if (resumed.status !== 'resumed') throw new Error(resumed.status)
  return resumed.run.result
}

const stored = (store: RunStore): Promise<AgentEvent[]> => storedEvents(store, runId)

const unknown = /failed while the call ran: it is unknown whether it took effect/

describe('a resume with a wrong input', () => {
  it.each<[string, object, object]>([
    ['an unknown option', { calbacks: {} }, { code: 'unknown_option', path: 'calbacks' }],
    ['an option that is stored', { messages: question }, { code: 'unknown_option', path: 'messages' }],
    ['a wrong value', { signal: 5 }, { code: 'invalid_option', path: 'signal' }],
    ['no object', [], { code: 'invalid_option', path: 'input' }],
  ])('(%s) rejects, and leaves the run to whoever asks rightly', async (_what, input, error) => {
    const { store, next } = await crashInCall({})
    const agent = await next([act({})])
    const before = await store.snapshot(runId)
    await expect(agent.resume(runId, input)).rejects.toMatchObject(error)
    expect(await store.abandoned(1)).toEqual([runId])
    expect(await store.snapshot(runId)).toEqual(before)
    expect((await takenOver(agent)).outcome).toBe('completed')
  })
})

describe('a call that had started when its process died', () => {
  const cases: readonly (readonly [
    string,
    Act,
    { readonly runs: number; readonly outcome: string; readonly told: RegExp },
  ])[] = [
    ['of a tool with effects is reported as unknown', {}, { runs: 0, outcome: 'unknown', told: unknown }],
    ['of a read-only tool runs again', { readOnly: true }, { runs: 1, outcome: 'ok', told: /acted/ }],
    ['of an idempotent tool runs again', { idempotent: true }, { runs: 1, outcome: 'ok', told: /acted/ }],
    [
      'that happened, says the tool, is settled with what it says',
      { reconcile: () => ({ happened: true, result: { receipt: 7 } }) },
      { runs: 0, outcome: 'ok', told: /receipt/ },
    ],
    [
      'that did not happen, says the tool, runs',
      { reconcile: () => ({ happened: false }) },
      { runs: 1, outcome: 'ok', told: /acted/ },
    ],
    [
      'of which the tool cannot say is unknown',
      { reconcile: () => undefined },
      { runs: 0, outcome: 'unknown', told: unknown },
    ],
    [
      'whose tool throws when asked is unknown',
      {
        reconcile() {
          throw new Error('cannot look')
        },
      },
      { runs: 0, outcome: 'unknown', told: unknown },
    ],
    [
      'whose tool answers nonsense is unknown',
      { reconcile: () => Object('yes') },
      { runs: 0, outcome: 'unknown', told: unknown },
    ],
  ]

  it('gives reconcile the input as the schema validates it', async () => {
    const { next } = await crashInCall({})
    const seen: unknown[] = []
    const tool = defineTool({
      name: 'act',
      description: '',
      inputSchema: {
        jsonSchema: { type: 'object' },
        validate: (): InputResult<{ readonly dollars: number }> => ({ value: { dollars: 0.05 } }),
      },
      reconcile(input) {
        seen.push(input)
        return { happened: true, result: 'acted' }
      },
      run: () => 'acted again',
    })
    expect((await takenOver(await next([tool]))).outcome).toBe('completed')
    expect(seen).toEqual([{ dollars: 0.05 }])
  })

  it.each(cases)('%s', async (_name, how, { runs, outcome, told }) => {
    const { store, next } = await crashInCall(how)
    const keys: string[] = []
    const asked: string[] = []
    const { reconcile } = how
    const tool = act({
      ...how,
      ...(reconcile !== undefined && {
        reconcile(input, context) {
          asked.push(context.idempotencyKey)
          return reconcile(input, context)
        },
      }),
      run(_, { idempotencyKey }) {
        keys.push(idempotencyKey)
        return 'acted'
      },
    })
    const result = await takenOver(await next([tool]))
    expect(result).toMatchObject({ outcome: 'completed', text: 'It is done.' })
    expect(keys).toEqual(Array(runs).fill('run-1:toolu_1'))
    expect(asked).toEqual(reconcile === undefined ? [] : ['run-1:toolu_1'])
    const events = await stored(store)
    expect(only(events, 'tool.finished')).toMatchObject([{ toolUseId: 'toolu_1', outcome }])
    expect(JSON.stringify(result.messages)).toMatch(told)
    expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }])).toBeUndefined()
    expect(screenOf(events).text()).toBe(historyText(result.newMessages))
  })

  it('whose tool does not answer when asked is unknown when the time of a call has passed', async () => {
    const { clock, store, next } = await crashInCall({})
    const agent = await next([act({ timeout: 7_000, reconcile: () => new Promise(() => {}) })])
    const result = takenOver(agent)
    await clock.timer(7_000)
    clock.advance(7_000)
    expect((await result).outcome).toBe('completed')
    expect(only(await stored(store), 'tool.finished')).toMatchObject([{ outcome: 'unknown' }])
  })

  it.each([
    ['with effects', {}],
    ['that is idempotent', { idempotent: true }],
  ] as const)(
    'of a tool %s is unknown, and not called not run, where the run was cancelled meanwhile',
    async (_name, how) => {
      const { store, next } = await crashInCall(how)
      await store.cancel(runId, 'by the user')
      const runs: string[] = []
      const result = await takenOver(await next([act({ ...how, run: (_, { toolUseId }) => runs.push(toolUseId) })]))
      expect(result.outcome).toBe('interrupted')
      expect(runs).toEqual([])
      expect(only(await stored(store), 'tool.finished')).toMatchObject([
        { outcome: 'unknown', result: expect.stringMatching(unknown) },
      ])
      expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }])).toBeUndefined()
    },
  )

  it('of a tool that is no longer there is unknown', async () => {
    const { store, next } = await crashInCall({})
    const result = await takenOver(await next([]))
    expect(only(await stored(store), 'tool.finished')).toMatchObject([{ outcome: 'unknown' }])
    expect(JSON.stringify(result.messages)).toMatch(unknown)
  })
})

describe('a run', () => {
  it('is driven by one process at a time, however many ask for it', async () => {
    const { clock, store, next } = await crashInCall({ idempotent: true })
    const runs: string[] = []
    const tool = act({ idempotent: true, run: (_, { toolUseId }) => runs.push(toolUseId) })
    const agents = await Promise.all([next([tool]), next([tool]), next([tool])])
    const answers = await Promise.all(agents.map((agent) => agent.resume(runId)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual(['held', 'held', 'resumed'])
    const held = answers.find((answer) => answer.status === 'held')
    expect(held).toEqual({ status: 'held', expiresAt: clock.now() + 30_000 })
    for (const answer of answers) if (answer.status === 'resumed') await answer.run.result
    expect(runs).toEqual(['toolu_1'])
    const [agent] = agents
    expect(await agent?.resume(runId)).toEqual({ status: 'closed' })
    expect(await agent?.resume('another')).toEqual({ status: 'not_found' })
    expect(await store.abandoned(10)).toEqual([])
  })

  it('whose old process wakes up again is not touched by it', async () => {
    const clock = manualClock()
    const store = memoryRunStore({ clock })
    const first = manualModel()
    const second = manualModel()
    const effects: string[] = []
    const agentOn = (name: string, model: ReturnType<typeof manualModel>): LocalAgent =>
      createAgent({
        client: model.client,
        request,
        tools: [act({ run: () => effects.push(name) })],
        runtime: { clock },
        journal: runJournal(store),
      })
    const old = agentOn('old', first).run({ messages: question, runId, mode: 'stream' })
    const sleeping = await first.exchange(0)
    sleeping.begin('I act.')
    await settled()
    clock.advance(25)
    await settled()
    await store.renew(runId, 1, 0)
    const resumed = await agentOn('next', second).resume(runId)
    if (resumed.status !== 'resumed') throw new Error(resumed.status)
    const call = (exchange: typeof sleeping): void => {
      exchange.send({ type: 'content_block_stop', index: 0 })
      exchange.send({ type: 'content_block_start', index: 1, content_block: toolUse('act', {}, { id: 'toolu_1' }) })
      exchange.send({ type: 'content_block_stop', index: 1 })
      exchange.send({ type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: {} })
      exchange.end()
    }
    // Both hear of the call at the same time.
    const awake = await second.exchange(0)
    awake.begin('I act.')
    call(sleeping)
    call(awake)
    const last = await second.exchange(1)
    last.begin('Done.')
    last.finish()
    expect(await old.result).toMatchObject({ outcome: 'failed', error: { code: 'lease_lost' } })
    expect(await resumed.run.result).toMatchObject({ outcome: 'completed', text: 'Done.' })
    expect(effects).toEqual(['next'])
    const events = await stored(store)
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(screenOf(events).text()).toBe('I act.Done.')
  })

  it('keeps its decision, its callbacks are new ones, and its budget of extra requests is what is left of it', async () => {
    const clock = manualClock()
    const store = memoryRunStore({ clock })
    const claude = await claudeFor([{ content: [text('Never whole.')] }], {
      faults: [{ kind: 'destroy', at: { event: 4 }, times: 'forever' }],
    })
    const agentOn = (seen: RunStore): LocalAgent =>
      createAgent({
        client: clientOf(claude),
        request,
        recovery: { backoff: 0, streamRetries: 9, bufferedRetries: 9, extraRequests: 3 },
        runtime: { clock },
        journal: runJournal(seen),
      })
    const whole = await agentOn(memoryRunStore({ clock })).run({ messages: question, runId }).result
    expect(whole.outcome).toBe('failed')
    expect(claude.requests).toHaveLength(4)
    // Dies behind its second fallback: run.started, turn.started, block, text, fallback, turn.started, fallback.
    const dying = dyingStore(store, 7)
    void agentOn(dying).run({ messages: question, runId })
    await dying.died
    expect((await stored(store)).at(-1)?.type).toBe('fallback')
    const before = claude.requests.length
    clock.advance(30_000)
    const seen: string[] = []
    const resumed = await agentOn(store).resume(runId, { callbacks: { onEvent: ({ type }) => void seen.push(type) } })
    if (resumed.status !== 'resumed') throw new Error(resumed.status)
    expect((await resumed.run.result).outcome).toBe('failed')
    // One request to take the turn up again, and the one that is left of three.
    expect(claude.requests.length - before).toBe(2)
    expect(seen.slice(0, 2)).toEqual(['run.resumed', 'turn.started'])
    expect(seen.at(-1)).toBe('run.finished')
    // Two streams had failed in one turn: it does not stream any more.
    expect(
      only(await stored(store), 'turn.started')
        .map(({ mode }) => mode)
        .slice(2),
    ).toEqual(['buffered', 'buffered'])
  })

  it('is known by its middleware to be one that was taken over', async () => {
    const clock = manualClock()
    const store = memoryRunStore({ clock })
    const claude = await claudeFor(turns)
    const seen: [name: string, around: string, resumed: boolean][] = []
    const watch = (name: string): Middleware => ({
      name,
      run: (scope, next) => (seen.push([name, 'run', scope.resumed]), next()),
      turn: (scope, next) => (seen.push([name, 'turn', scope.resumed]), next(scope)),
      tool: (call, next, scope) => (seen.push([name, 'tool', scope.resumed]), next(call)),
    })
    const agentOn = (name: string, kept: RunStore): LocalAgent =>
      createAgent({
        client: clientOf(claude),
        request,
        tools: [act({ readOnly: true })],
        use: [watch(name)],
        runtime: { clock },
        journal: runJournal(kept),
      })
    // Dies where only run.started is stored.
    const dying = dyingStore(store, 1)
    void agentOn('first', dying).run({ messages: question, runId })
    await dying.died
    clock.advance(30_000)
    expect((await takenOver(agentOn('second', store))).outcome).toBe('completed')
    const each = (name: string): unknown[] => seen.filter(([of]) => of === name).map(([, ...rest]) => rest)
    expect(each('first')).toEqual([
      ['run', false],
      ['turn', false],
    ])
    expect(each('second')).toEqual([
      ['run', true],
      ['turn', true],
      ['tool', true],
      ['turn', true],
    ])
  })

  it.each([
    ['buffered', 'explicit'],
    ['stream', 'explicit'],
    ['auto', 'no_flags'],
  ] as const)('that died before its decision was stored has the mode it was asked for (%s)', async (mode, reason) => {
    const clock = manualClock()
    const store = memoryRunStore({ clock })
    const claude = await claudeFor([{ content: [text('Done.')] }])
    const agentOn = (kept: RunStore): LocalAgent =>
      createAgent({ client: clientOf(claude), request, runtime: { clock }, journal: runJournal(kept) })
    const dying = dyingStore(store, 0)
    void agentOn(dying).run({ messages: question, runId, mode })
    await dying.died
    clock.advance(30_000)
    await takenOver(agentOn(store))
    const expected = mode === 'buffered' ? 'buffered' : 'stream'
    expect(only(await stored(store), 'run.started')).toMatchObject([{ decision: { mode: expected, reason } }])
  })

  it('that died before its first event was stored is not one that was taken over: it begins', async () => {
    const clock = manualClock()
    const store = memoryRunStore({ clock })
    const claude = await claudeFor(turns)
    const seen: boolean[] = []
    const watch: Middleware = { name: 'watch', run: (scope, next) => (seen.push(scope.resumed), next()) }
    const agentOn = (kept: RunStore): LocalAgent =>
      createAgent({
        client: clientOf(claude),
        request,
        tools: [act({ readOnly: true })],
        use: [watch],
        runtime: { clock },
        journal: runJournal(kept),
      })
    const dying = dyingStore(store, 0)
    void agentOn(dying).run({ messages: question, runId })
    await dying.died
    clock.advance(30_000)
    await takenOver(agentOn(store))
    expect(seen).toEqual([false, false])
  })
})
