import { text, toolUse, type Turn, validateMessages } from '@millrace/testing'
import { deferred, manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import {
  type AgentEvent,
  type AgentOptions,
  createAgent,
  defineTool,
  type RunInput,
  type RunStore,
  type Tool,
} from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { manualModel, settled } from '../recovery/manual-model.ts'
import { claudeFor, clientOf, eventsOf, only, question, request } from '../support/scripted.ts'
import { storedEvents } from './stored-events.ts'

const inputSchema = { jsonSchema: { type: 'object' } }
const runId = 'run-1'
const input: RunInput = { messages: question, runId, mode: 'stream' }

const turns: readonly Turn[] = [
  {
    content: [
      text('I charge, and look it up.'),
      toolUse('charge', { cents: 5 }, { id: 'toolu_1' }),
      toolUse('look_up', {}, { id: 'toolu_2' }),
      toolUse('mail', {}, { id: 'toolu_3' }),
    ],
  },
  { content: [text('Once more.'), toolUse('charge', { cents: 6 }, { id: 'toolu_4' })] },
  { content: [text('All is done.')] },
]

interface Setup {
  readonly clock: ManualClock
  readonly store: RunStore
}

function setup(): Setup {
  const clock = manualClock()
  return { clock, store: memoryRunStore({ clock }) }
}

/** Tools that call `effect` when they have their effect. */
function tools(effect: (name: string, toolUseId: string) => void): readonly Tool[] {
  return ['charge', 'look_up', 'mail'].map((name) =>
    defineTool({
      name,
      description: '',
      inputSchema,
      readOnly: name === 'look_up',
      idempotent: name === 'mail',
      run(_, { toolUseId }) {
        if (name !== 'look_up') effect(name, toolUseId)
        return `${name} is done`
      },
    }),
  )
}

function options(store: RunStore, clock: ManualClock, more: Partial<AgentOptions> = {}): Omit<AgentOptions, 'client'> {
  return { request, recovery: { backoff: 0 }, runtime: { clock }, journal: runJournal(store), ...more }
}

const stored = (store: RunStore): Promise<AgentEvent[]> => storedEvents(store, runId)

describe('what is recorded', () => {
  it('is what was seen, with what the run was started with', async () => {
    const { clock, store } = setup()
    const claude = await claudeFor(turns)
    const agent = createAgent({ client: clientOf(claude), ...options(store, clock, { tools: tools(() => {}) }) })
    const run = agent.run({ ...input, owner: 'ada', sessionId: 's-1', metadata: { tenant: 7 }, request: { top_k: 1 } })
    const seen = await eventsOf(run)
    await run.result
    expect(await stored(store)).toEqual(seen)
    expect(await store.snapshot(runId)).toEqual({
      record: {
        runId,
        owner: 'ada',
        sessionId: 's-1',
        metadata: { tenant: 7 },
        request: { top_k: 1 },
        mode: 'stream',
        messages: question,
        createdAt: clock.now(),
      },
      tail: seen.length,
      first: 1,
      closed: true,
      outcome: 'completed',
    })
    expect(clock.pending).toBe(0)
  })

  it('is refused under an id that exists already', async () => {
    const { clock, store } = setup()
    const claude = await claudeFor(turns)
    const agent = createAgent({ client: clientOf(claude), ...options(store, clock, { tools: tools(() => {}) }) })
    await agent.run(input).result
    const { error, outcome } = await agent.run(input).result
    expect(outcome).toBe('failed')
    expect(error).toMatchObject({ code: 'invalid_input', path: 'runId' })
    expect(claude.requests).toHaveLength(3)
  })
})

describe('a barrier', () => {
  it('stands before every effect, every next request and the result', async () => {
    const { clock, store } = setup()
    const claude = await claudeFor(turns)
    const client = clientOf(claude)
    /** What was durable, each time that something happened which cannot be undone. */
    const durable: Promise<readonly [what: string, ...AgentEvent[]]>[] = []
    const note = (what: string): void =>
      void durable.push(stored(store).then((events): readonly [string, ...AgentEvent[]] => [what, ...events]))
    const create = (...args: Parameters<typeof client.messages.create>): PromiseLike<unknown> => {
      note(`request ${claude.requests.length}`)
      return Reflect.apply(client.messages.create, client.messages, args)
    }
    const agent = createAgent({
      client: { messages: { create } },
      ...options(store, clock, { tools: tools((_, toolUseId) => note(toolUseId)) }),
    })
    const { outcome } = await agent.run(input).result
    expect(outcome).toBe('completed')
    expect((await stored(store)).at(-1)?.type).toBe('run.finished')
    const notes = await Promise.all(durable)
    expect(notes.map(([what]) => what)).toEqual([
      'request 0',
      'toolu_1',
      'toolu_3',
      'request 1',
      'toolu_4',
      'request 2',
    ])
    for (const [what, ...events] of notes) {
      const request = Number(what.replace('request ', ''))
      const starts = only(events, 'tool.started').map(({ toolUseId }) => toolUseId)
      const ends = only(events, 'tool.finished').filter(({ name }) => name !== 'look_up')
      expect(what.startsWith('toolu') ? starts : [what], what).toContain(what)
      if (what.startsWith('toolu')) continue
      expect(only(events, 'turn.finished'), what).toHaveLength(request)
      expect(ends, what).toHaveLength([0, 2, 3][request] ?? -1)
    }
  })

  it('that the store refuses ends the run, before the tool starts, with a history that goes on', async () => {
    const claude = await claudeFor(turns)
    /** How many appends a run has that is refused nothing. */
    let all = Number.POSITIVE_INFINITY
    for (let refusedFrom = 30; refusedFrom >= 0; refusedFrom--) {
      const { clock, store } = setup()
      let appends = 0
      const refusing: RunStore = {
        ...store,
        append: (...args) =>
          appends++ < refusedFrom ? store.append(...args) : Promise.reject(new Error('disk full: /var/lib/runs')),
      }
      /** Whether the store had refused anything when a tool had its effect. */
      const refusedBefore: boolean[] = []
      const agent = createAgent({
        client: clientOf(claude),
        ...options(refusing, clock, { tools: tools(() => refusedBefore.push(appends > refusedFrom)) }),
      })
      const run = agent.run(input)
      const events = await eventsOf(run)
      const { outcome, error, messages } = await run.result
      if (appends <= refusedFrom) all = appends
      const at = `refused from append ${refusedFrom} of ${all}`
      // With the last append the end is refused, after all was done: who takes the run over finds it at its end.
      const fails = refusedFrom < all - 1
      expect(outcome, at).toBe(fails ? 'failed' : 'completed')
      expect(error?.code, at).toBe(fails ? 'store_unavailable' : undefined)
      expect(refusedBefore, at).not.toContain(true)
      expect(validateMessages([...messages, { role: 'user', content: 'Next' }]), at).toBeUndefined()
      expect(only(events, 'run.finished'), at).toEqual([events.at(-1)])
      expect(JSON.stringify(events), at).not.toContain('/var/lib')
    }
    expect(all).toBeGreaterThan(6)
  })

  it('that is refused at the very beginning asks nothing of the model', async () => {
    const { clock, store } = setup()
    const claude = await claudeFor(turns)
    const refusing: RunStore = { ...store, create: () => Promise.reject(new Error('no route to /var/lib')) }
    const run = createAgent({ client: clientOf(claude), ...options(refusing, clock) }).run(input)
    expect(only(await eventsOf(run), 'run.finished')).toMatchObject([
      { outcome: 'failed', error: { code: 'store_unavailable', retryable: true } },
    ])
    expect(claude.requests).toHaveLength(0)
  })
})

describe('deltas', () => {
  it('are stored together, at most 25 ms behind, by one append at a time', async () => {
    const { clock, store } = setup()
    const model = manualModel()
    let inFlight = 0
    let most = 0
    let gate = Promise.resolve()
    const sizes: number[] = []
    const watched: RunStore = {
      ...store,
      async append(...args) {
        most = Math.max(most, ++inFlight)
        sizes.push(args[2].length)
        await gate
        inFlight -= 1
        return store.append(...args)
      },
    }
    const run = createAgent({ client: model.client, ...options(watched, clock) }).run(input)
    const { begin, more, finish } = await model.exchange(0)
    begin('One')
    await settled()
    expect(sizes).toEqual([])
    clock.advance(24)
    await settled()
    expect(sizes).toEqual([])
    clock.advance(1)
    await settled()
    // run.started, turn.started, block.started, text.delta
    expect(sizes).toEqual([4])
    expect((await stored(store)).at(-1)).toMatchObject({ type: 'text.delta', text: 'One' })

    const slow = deferred()
    gate = slow.promise
    more(' two')
    await settled()
    clock.advance(25)
    await settled()
    for (const word of [' three', ' four', ' five']) {
      more(word)
      await settled()
      clock.advance(25)
    }
    await settled()
    expect(sizes).toEqual([4, 1])
    slow.resolve()
    gate = Promise.resolve()
    await settled()
    clock.advance(25)
    await settled()
    expect(sizes).toEqual([4, 1, 3])
    finish()
    expect((await run.result).text).toBe('One two three four five')
    expect(most).toBe(1)
    expect((await stored(store)).map(({ seq }) => seq)).toEqual(
      sizes.flatMap((size) => Array(size).fill(0)).map((_, i) => i + 1),
    )
    expect(clock.pending).toBe(0)
  })

  it('whose append failed once are stored with the next one', async () => {
    const { clock, store } = setup()
    const model = manualModel()
    let failures = 1
    const flaky: RunStore = {
      ...store,
      append: (...args) => (failures-- > 0 ? Promise.reject(new Error('away')) : store.append(...args)),
    }
    const run = createAgent({ client: model.client, ...options(flaky, clock) }).run(input)
    const events = eventsOf(run)
    const { begin, more, finish } = await model.exchange(0)
    begin('One')
    await settled()
    clock.advance(25)
    await settled()
    expect(await stored(store)).toEqual([])
    more(' two')
    await settled()
    clock.advance(50)
    await settled()
    expect((await stored(store)).at(-1)).toMatchObject({ type: 'text.delta', text: ' two' })
    finish()
    expect((await run.result).outcome).toBe('completed')
    expect(await stored(store)).toEqual(await events)
  })
})

describe('a lease', () => {
  it('is renewed three times in its span for as long as the run lasts, and not after', async () => {
    const { clock, store } = setup()
    const model = manualModel()
    let renewals = 0
    const counted: RunStore = { ...store, renew: (...args) => (renewals++, store.renew(...args)) }
    const run = createAgent({ client: model.client, ...options(counted, clock) }).run(input)
    const { begin, finish } = await model.exchange(0)
    begin('One')
    for (let tenth = 1; tenth <= 12; tenth++) {
      clock.advance(10_000)
      await settled()
      expect(renewals).toBe(tenth)
      expect(await store.acquire(runId, 1)).toMatchObject({ status: 'held' })
    }
    finish()
    await run.result
    clock.advance(100_000)
    expect(renewals).toBe(12)
    expect(clock.pending).toBe(0)
  })

  it('that somebody else has taken ends the run, and no tool of it starts', async () => {
    const { clock, store } = setup()
    const model = manualModel()
    const effects: string[] = []
    const agent = createAgent({
      client: model.client,
      ...options(store, clock, { tools: tools((name) => effects.push(name)) }),
    })
    const run = agent.run(input)
    const events = eventsOf(run)
    const { begin, send, end } = await model.exchange(0)
    begin('I charge.')
    await settled()
    // This process slept through its lease, and wakes when another one has it.
    await store.renew(runId, 1, 0)
    expect(await store.acquire(runId, 30_000)).toMatchObject({ status: 'acquired', fence: 2 })
    send({ type: 'content_block_stop', index: 0 })
    send({ type: 'content_block_start', index: 1, content_block: toolUse('charge', {}, { id: 'toolu_1' }) })
    send({ type: 'content_block_stop', index: 1 })
    send({ type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: {} })
    send({ type: 'message_stop' })
    end()
    const { outcome, error, messages } = await run.result
    expect(outcome).toBe('failed')
    expect(error?.code).toBe('lease_lost')
    expect(effects).toEqual([])
    expect(only(await events, 'tool.started')).toEqual([])
    expect(validateMessages([...messages, { role: 'user', content: 'Next' }])).toBeUndefined()
    expect((await store.snapshot(runId))?.closed).toBe(false)
    expect(clock.pending).toBe(0)
  })

  it('that is found lost by its renewal stops a stream that would have gone on', async () => {
    const { clock, store } = setup()
    const model = manualModel()
    const run = createAgent({ client: model.client, ...options(store, clock) }).run(input)
    const { begin, signal } = await model.exchange(0)
    begin('One')
    await settled()
    await store.renew(runId, 1, 0)
    await store.acquire(runId, 30_000)
    clock.advance(10_000)
    expect(await run.result).toMatchObject({ outcome: 'failed', error: { code: 'lease_lost' }, text: 'One' })
    expect(signal.aborted).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('away'))],
    ['does not answer', () => new Promise<never>(() => {})],
    [
      'throws at once',
      () => {
        throw new Error('closed')
      },
    ],
  ])('that cannot be renewed ends the run when it runs out: the store %s', async (_how, fail) => {
    const { clock, store } = setup()
    const model = manualModel()
    const away: RunStore = { ...store, renew: fail, append: fail }
    const run = createAgent({ client: model.client, ...options(away, clock) }).run(input)
    const { begin, signal } = await model.exchange(0)
    begin('One')
    await settled()
    clock.advance(29_999)
    await settled()
    expect(signal.aborted).toBe(false)
    expect(await store.acquire(runId, 30_000)).toMatchObject({ status: 'held' })
    clock.advance(1)
    expect(await run.result).toMatchObject({ outcome: 'failed', error: { code: 'store_unavailable', retryable: true } })
    expect(signal.aborted).toBe(true)
    expect(await store.acquire(runId, 30_000)).toMatchObject({ status: 'acquired' })
    expect(clock.pending).toBe(0)
  })

  it.each(['the end of a turn', 'the end of the run'])('bounds how long a store may hang at %s', async (where) => {
    const { clock, store } = setup()
    const model = manualModel()
    let appends = 0
    const hangsAt = where === 'the end of a turn' ? 1 : 2
    const hanging: RunStore = {
      ...store,
      append: (...args) => (++appends >= hangsAt ? new Promise(() => {}) : store.append(...args)),
      renew: () => new Promise(() => {}),
    }
    const run = createAgent({ client: model.client, ...options(hanging, clock) }).run(input)
    const { begin, finish } = await model.exchange(0)
    begin('One')
    finish()
    await settled()
    expect(appends).toBe(hangsAt)
    clock.advance(30_000)
    const { outcome, text: said } = await run.result
    expect(said).toBe('One')
    expect(outcome).toBe(where === 'the end of a turn' ? 'failed' : 'completed')
    expect(clock.pending).toBe(0)
  })

  it('is kept by its renewals no longer than an append may hang', async () => {
    const { clock, store } = setup()
    const model = manualModel()
    const hanging: RunStore = { ...store, append: () => new Promise(() => {}) }
    const run = createAgent({ client: model.client, ...options(hanging, clock) }).run(input)
    const { begin, finish } = await model.exchange(0)
    begin('One')
    finish()
    await settled()
    let ended = false
    void run.result.then(() => (ended = true))
    for (let third = 1; third <= 3; third++) {
      expect(ended).toBe(false)
      clock.advance(10_000)
      await settled()
    }
    expect(ended).toBe(true)
    expect(await run.result).toMatchObject({ outcome: 'failed', error: { code: 'store_unavailable' }, text: 'One' })
    expect(clock.pending).toBe(0)
  })
})

describe('a store that has lost a run', () => {
  it.each([
    ['some of it', 'append', { status: 'gap', tail: 0 }],
    ['all of it', 'append', { status: 'not_found' }],
    ['all of it, says the renewal', 'renew', { status: 'not_found' }],
  ] as const)('%s, is what the run fails with: no other process has it', async (_what, method, answer) => {
    const { clock, store } = setup()
    const model = manualModel()
    const lossy: RunStore = { ...store, [method]: () => Promise.resolve(answer) }
    const run = createAgent({ client: model.client, ...options(lossy, clock) }).run(input)
    const { begin } = await model.exchange(0)
    begin('One')
    await settled()
    clock.advance(method === 'append' ? 25 : 10_000)
    expect(await run.result).toMatchObject({ outcome: 'failed', error: { code: 'store_unavailable' } })
    expect(clock.pending).toBe(0)
  })

  it('or cannot hold one, and throws instead of rejecting, is what the run fails with', async () => {
    const { clock, store } = setup()
    const broken: RunStore = {
      ...store,
      create() {
        throw new Error('closed')
      },
    }
    const run = createAgent({ client: manualModel().client, ...options(broken, clock) }).run(input)
    expect(await run.result).toMatchObject({ outcome: 'failed', error: { code: 'store_unavailable' } })
  })
})

describe('an append that the store refuses', () => {
  it('is tried again, at growing intervals, though nothing follows', async () => {
    const { clock, store } = setup()
    const model = manualModel()
    const tries: number[] = []
    const begun = clock.now()
    const refusing: RunStore = {
      ...store,
      append: (...args) => {
        tries.push(clock.now() - begun)
        return tries.length <= 7 ? Promise.reject(new Error('away')) : store.append(...args)
      },
    }
    const run = createAgent({ client: model.client, ...options(refusing, clock) }).run(input)
    const { begin, finish } = await model.exchange(0)
    begin('One')
    await settled()
    for (let passed = 0; passed < 5_000; passed += 25) {
      clock.advance(25)
      await settled()
    }
    expect(tries).toEqual([25, 75, 175, 375, 775, 1575, 2575, 3575])
    expect((await stored(store)).at(-1)).toMatchObject({ type: 'text.delta', text: 'One' })
    finish()
    expect(await run.result).toMatchObject({ outcome: 'completed' })
    expect(clock.pending).toBe(0)
  })
})
