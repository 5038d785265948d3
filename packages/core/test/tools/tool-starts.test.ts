import { text, toolUse } from '@millrace/testing'
import { deferred, manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { type AgentOptions, createAgent, createToolLedger, type Tool, type ToolProgress } from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { frameByFrame } from '../support/frame-by-frame.ts'
import { agentOn, claudeFor, eventsOf, only, question, request } from '../support/scripted.ts'
import { calls, fail, type Plain, runWith, toolOf } from './running-a-tool.ts'

describe('when a tool starts', () => {
  /** Runs frame by frame; gives, for each start of a tool, how many frames had arrived. */
  async function startsOf(options: Partial<AgentOptions>, tool: Partial<Plain>): Promise<number[]> {
    const claude = await claudeFor([
      { content: [toolUse('act', { id: 1 }, { id: 'toolu_1' }), text('More words, after the call.')] },
      { content: [text('Done.')] },
    ])
    let frames = 0
    const starts: number[] = []
    const client = frameByFrame(claude, (count) => void (frames = count))
    const act = toolOf({
      ...tool,
      run() {
        starts.push(frames)
        return 'ok'
      },
    })
    const agent = createAgent({ client, request, tools: [act], ...options })
    const { outcome } = await agent.run({ messages: question, mode: 'stream' }).result
    expect(outcome).toBe('completed')
    return starts
  }

  it('is once its turn is whole, not before', async () => {
    const [whole = 0] = await startsOf({}, {})
    expect(await startsOf({}, { readOnly: true })).toEqual([whole])
    expect(await startsOf({ eagerTools: true }, { readOnly: false })).toEqual([whole])
    expect(await startsOf({ eagerTools: true }, { idempotent: true })).toEqual([whole])
    const [early = 0] = await startsOf({ eagerTools: true }, { readOnly: true })
    // The text after the call takes seven frames at least, and then comes message_delta.
    expect(whole - early).toBeGreaterThanOrEqual(7)
  })

  it('is not before the turn is whole where its flag is off', async () => {
    const flags = { getBooleanDetails: (key: string) => ({ value: key === 'use_streaming' }) }
    const [whole = 0] = await startsOf({}, {})
    expect(await startsOf({ eagerTools: true, flags }, { readOnly: true })).toEqual([whole])
  })

  it('is in the order of their toolset for its calls, though the tool of a later one may start early', async () => {
    const order: string[] = []
    const tool = (name: string, readOnly: boolean): Tool =>
      toolOf({
        name,
        readOnly,
        async run() {
          order.push(`${name} starts`)
          await Promise.resolve()
          order.push(`${name} ends`)
        },
      })
    const browser = { toolset_name: 'browser' }
    const script = [
      { content: [toolUse('click', { x: 1 }, browser), toolUse('screenshot', { y: 1 }, browser)] },
      { content: [text('Done.')] },
    ]
    await runWith([tool('click', false), tool('screenshot', true)], script, { eagerTools: true })
    expect(order).toEqual(['click starts', 'click ends', 'screenshot starts', 'screenshot ends'])
  })

  it('for an attempt that is then thrown away, it is stopped and said to be discarded, and another one runs', async () => {
    const claude = await claudeFor(
      [{ content: [toolUse('act'), text('More words, after the call.')] }, { content: [text('Done.')] }],
      // Right after the call: one without arguments looks like one that was cut, so that it cannot be kept.
      { faults: [{ kind: 'destroy', at: { event: 5 }, stream: true }] },
    )
    const started: string[] = []
    const stopped: string[] = []
    const act = toolOf({
      readOnly: true,
      run(_input, { signal, toolUseId }) {
        started.push(toolUseId)
        if (started.length > 1) return 'ok'
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve(stopped.push(toolUseId)), { once: true })
        })
      },
    })
    const results: unknown[] = []
    const ledger = createToolLedger()
    const run = agentOn(claude, { tools: [act], eagerTools: true }).run({
      messages: question,
      ledger,
      callbacks: { onToolResult: (_name, _input, result) => results.push(result) },
    })
    const events = await eventsOf(run)
    expect((await run.result).outcome).toBe('completed')
    const [first = '', second = ''] = started
    expect(started).toHaveLength(2)
    expect(first).not.toBe(second)
    expect(stopped).toEqual([first])
    expect(only(events, 'tool.finished')).toMatchObject([
      { toolUseId: first, outcome: 'discarded' },
      { toolUseId: second, outcome: 'ok' },
    ])
    // Nobody is called back for it, and nothing can be answered from it.
    expect(results).toEqual(['ok'])
    expect(ledger.entries.map(({ toolUseId }) => toolUseId)).toEqual([second])
  })

  it.each(['max_tokens', 'model_context_window_exceeded', 'end_turn', 'refusal', 'stop_sequence'])(
    'is never where the turn ends with %s',
    async (stopReason) => {
      for (const eagerTools of [false, true]) {
        let ran = 0
        const script = [{ content: [toolUse('act', { id: 1 }, { id: 'toolu_1' })], stopReason }]
        const { result, events } = await runWith(toolOf({ run: () => ++ran }), script, { eagerTools })
        expect(ran).toBe(0)
        expect(only(events, 'tool.started')).toEqual([])
        expect(result.stopReason).toBe(stopReason)
        const last = result.messages.at(-1)
        expect(last).toMatchObject(
          stopReason === 'refusal'
            ? (question.at(-1) ?? {})
            : { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', is_error: true }] },
        )
      }
    },
  )
})

describe('parallel calls', () => {
  it('overlap: each waits for the other to have started', async () => {
    const first = deferred()
    const second = deferred()
    const tool = toolOf({
      async run(_input, { toolUseId }) {
        const [mine, other] = toolUseId === 'toolu_1' ? [first, second] : [second, first]
        mine.resolve()
        await other.promise
        return toolUseId
      },
    })
    const { told } = await runWith(tool, calls('toolu_1', 'toolu_2'))
    expect(told).toMatchObject([{ content: 'toolu_1' }, { content: 'toolu_2' }])
  })

  it.each([1, 2, 3, 8])(
    'run at most %i at once, and are answered in their order, not in that of their ends',
    async (limit) => {
      let running = 0
      let most = 0
      const ids = Array.from({ length: 7 }, (_, index) => `toolu_${index}`)
      const ends: string[] = []
      const tool = toolOf({
        async run(_input, { toolUseId }) {
          most = Math.max(most, ++running)
          // Later calls end earlier.
          for (let turns = 14 - 2 * Number(toolUseId.at(-1)); turns > 0; turns--) await Promise.resolve()
          running -= 1
          ends.push(toolUseId)
          return toolUseId
        },
      })
      const { told } = await runWith(tool, calls(...ids), { limits: { parallelTools: limit } })
      expect(told).toMatchObject(ids.map((id) => ({ tool_use_id: id, content: id })))
      expect(most).toBe(Math.min(limit, ids.length))
      expect(limit === 1 ? ends : ids).toEqual(ids)
    },
  )

  it('do not fail together: one throws, one is unknown, one works', async () => {
    const tools = [
      toolOf({ name: 'fails', run: () => fail(new Error('x')) }),
      toolOf({ name: 'works', run: () => 'ok' }),
    ]
    const script = [
      { content: ['fails', 'none', 'works'].map((name) => toolUse(name, {}, { id: `toolu_${name}` })) },
      { content: [text('Done.')] },
    ]
    const { told, result } = await runWith(tools, script)
    expect(told).toMatchObject([{ is_error: true, content: 'x' }, { is_error: true }, { content: 'ok' }])
    expect(result.outcome).toBe('completed')
  })
})

describe('progress', () => {
  const reports: readonly ToolProgress[] = [
    { progress: 1, total: 3 },
    { progress: 2, total: 3, message: 'two' },
    { data: { a: 1 } },
  ]

  it.each<[string, Plain['run']]>([
    [
      'of a generator is what it yields, and its result what it returns',
      async function* (): AsyncGenerator<ToolProgress, string, void> {
        for (const report of reports) {
          await Promise.resolve()
          yield report
        }
        return 'ok'
      },
    ],
    [
      'of a function is what it reports',
      (_input, { progress }) => {
        for (const report of reports) progress(report)
        return 'ok'
      },
    ],
  ])('%s', async (_what, run) => {
    const clock = manualClock()
    const { events, told } = await runWith(toolOf({ run }), undefined, { runtime: { clock } })
    const head = { type: 'tool.progress', toolUseId: 'toolu_1', name: 'act', turn: 1, elapsedMs: 0 }
    expect(only(events, 'tool.progress').map(({ seq: _seq, runId: _runId, at: _at, ...body }) => body)).toEqual(
      reports.map((report) => ({ ...head, ...report })),
    )
    expect(told).toMatchObject([{ content: 'ok' }])
  })

  it('that is nonsense is passed over, field by field', async () => {
    const nonsense: readonly unknown[] = [
      7,
      null,
      'half',
      { progress: Number.NaN, total: '3', message: 4 },
      { progress: 1, other: 2 },
    ]
    const tool = toolOf({
      run(_input, { progress }) {
        for (const report of nonsense) Reflect.apply(progress, undefined, [report])
        return 'ok'
      },
    })
    const { events } = await runWith(tool)
    const fields = only(events, 'tool.progress').map(({ progress, total, message }) => [progress, total, message])
    expect(fields.at(-1)).toEqual([1, undefined, undefined])
    expect(fields.flat().filter((field) => field !== undefined)).toEqual([1])
  })

  it('keeps its data as it was when it was reported, and without data that is no JSON', async () => {
    const done: unknown[] = []
    const circle: unknown[] = []
    circle.push(circle)
    const tool = toolOf({
      run(_input, { progress }) {
        for (const data of [1n, circle, () => {}]) progress({ progress: 1, data })
        for (const each of ['a', 'b']) {
          done.push(each)
          progress({ data: { done } })
        }
        return 'ok'
      },
    })
    const { events, result } = await runWith(tool, undefined, { journal: runJournal(memoryRunStore()) })
    const [bigInt, circular, method, ...copies] = only(events, 'tool.progress')
    for (const none of [bigInt, circular, method]) {
      expect(none).toMatchObject({ progress: 1 })
      expect(none).not.toHaveProperty('data')
    }
    expect(copies).toMatchObject([{ data: { done: ['a'] } }, { data: { done: ['a', 'b'] } }])
    expect(result.outcome).toBe('completed')
  })

  it('after the end is unheard', async () => {
    let late: (report: ToolProgress) => void = () => {}
    const tool = toolOf({
      run(_input, { progress }) {
        late = progress
        return 'ok'
      },
    })
    const claude = await claudeFor(calls('toolu_1'))
    const run = agentOn(claude, { tools: [tool] }).run({
      messages: question,
      callbacks: { onEvent: ({ type }) => type === 'tool.finished' && late({ message: 'late' }) },
    })
    expect(only(await eventsOf(run), 'tool.progress')).toEqual([])
  })

  it('of a tool whose flag is off does nothing', async () => {
    const flags = { getBooleanDetails: (key: string) => ({ value: key === 'use_streaming' }) }
    const tool = toolOf({
      run(_input, { progress }) {
        progress({ progress: 1 })
        return 'ok'
      },
    })
    const { events } = await runWith(tool, undefined, { flags })
    expect(only(events, 'tool.progress')).toEqual([])
    expect(only(events, 'tool.finished')).toMatchObject([{ outcome: 'ok' }])
  })
})
