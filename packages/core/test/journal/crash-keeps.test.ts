import { type ContentBlock, text, toolUse, type Turn } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { type AgentEvent, type AgentOptions, defineTool, type Retraction, type RunResult } from '../../src/index.ts'
import { blocksOf } from '../../src/reduce/history.ts'
import { screenOf } from '../recovery/screen.ts'
import { claudeFor, only } from '../support/scripted.ts'
import { reworded, type Scenario } from './crash-scenarios.ts'
import { check, createWorld, lengthOf, live, runId, takeOver, type World } from './crashes.ts'
import { storedEvents } from './stored-events.ts'

/** A run that was taken over after its process had died, and what was stored when it died. */
interface TakenOver {
  readonly at: string
  readonly world: World
  readonly before: readonly AgentEvent[]
  readonly after: readonly AgentEvent[]
  readonly result: RunResult
  /** The bodies of the requests that the process which took over has made. */
  readonly asked: readonly (Readonly<Record<string, unknown>> | undefined)[]
}

/** Runs the scenario once for each event that its process may die after, and takes it over each time. */
async function dieAtEvery(scenario: Scenario, look: (taken: TakenOver) => void | Promise<void>): Promise<void> {
  const claude = await claudeFor([])
  const length = await lengthOf(claude, scenario)
  for (let lastSeq = 0; lastSeq < length; lastSeq++) {
    const at = `died after event ${lastSeq} of ${length}`
    const world = createWorld(claude, scenario)
    await live(world, scenario, lastSeq)
    const before = await storedEvents(world.store, runId)
    const { length: askedBefore } = claude.requests
    const result = await takeOver(world, scenario, Number.POSITIVE_INFINITY)
    if (result === undefined) throw new Error(`${at}: died again`)
    const after = await storedEvents(world.store, runId)
    const asked = claude.requests.slice(askedBefore).map(({ body }) => body)
    await look({ at, world, before, after, result, asked })
  }
}

/** The events of the turn that had not finished. */
function openTurn(events: readonly AgentEvent[]): readonly AgentEvent[] {
  const end = events.findLastIndex(({ type }) => type === 'turn.finished')
  return events.slice(end + 1)
}

const hasBegun = (events: readonly AgentEvent[], kind: string): boolean =>
  only(openTurn(events), 'block.started').some((event) => event.kind === kind)

describe('text that is worded differently by the process that takes over', () => {
  it.each(['continue', 'fail'] as const)('is never retracted where the run was started with %s', async (name) => {
    const scenario = reworded[name]
    let brokenInText = 0
    await dieAtEvery(scenario, async ({ at, world, before, after, result, asked }) => {
      const shown = screenOf(before).text()
      // What was shown stays where it is, whatever is said now.
      expect(screenOf(after).text().startsWith(shown), at).toBe(true)
      const isBroken = only(openTurn(before), 'text.delta').length > 0
      if (isBroken) brokenInText += 1
      const outcome = name === 'fail' && isBroken ? 'failed' : 'completed'
      await check(world, { ...scenario, outcome }, result, at)
      expect(result.outcome, at).toBe(outcome)
      expect(result.error?.code, at).toBe(outcome === 'failed' ? 'cannot_retract' : undefined)
      expect(outcome === 'failed' ? asked : [], at).toEqual([])
      expect((await world.store.snapshot(runId))?.record.retraction, at).toBe(name)
      expect(only(after, 'run.finished')[0]?.error?.code, at).toBe(result.error?.code)
    })
    expect(brokenInText).toBeGreaterThan(5)
  })

  it('is withdrawn where the run was started with retract', async () => {
    let withdrawn = 0
    await dieAtEvery(reworded.retract, async ({ at, world, after, result }) => {
      await check(world, reworded.retract, result, at)
      withdrawn += only(after, 'turn.retracted').length
    })
    expect(withdrawn).toBeGreaterThan(5)
  })

  it('cannot come where the run was started with hold: text is stored in one step with the end of its turn', async () => {
    const claude = await claudeFor([])
    const world = createWorld(claude, reworded.hold)
    const steps: (readonly AgentEvent[])[] = []
    const store: World['store'] = {
      ...world.store,
      append(id, fence, events, close) {
        steps.push(events)
        return world.store.append(id, fence, events, close)
      },
    }
    await live({ ...world, store }, reworded.hold, Number.POSITIVE_INFINITY)
    const texts = steps.filter((events) => only(events, 'text.delta').length > 0)
    expect(texts.map((events) => only(events, 'turn.finished').length)).toEqual([1, 1])
  })
})

describe('a server tool that had begun when the process died', () => {
  type Pair = readonly [call: ContentBlock, result: ContentBlock]
  const server = (name: string): Pair => [
    { type: 'server_tool_use', id: 'srvtoolu_1', name, input: { query: 'x' } },
    { type: `${name}_tool_result`, tool_use_id: 'srvtoolu_1', content: [] },
  ]
  const mcp: Pair = [
    { type: 'mcp_tool_use', id: 'mcptoolu_1', name: 'book', server_name: 'x', input: { seat: 4 } },
    { type: 'mcp_tool_result', tool_use_id: 'mcptoolu_1', is_error: false, content: [] },
  ]
  const scenarioOf = (
    pair: Pair,
    retraction: Retraction,
    recovery: Required<AgentOptions>['recovery'] = {},
  ): Scenario => ({
    turns: [{ content: [text('One moment.'), ...pair, text('It is done.')], chunking: { sizes: [5] } }],
    options: { recovery: { backoff: 0, ...recovery } },
    retraction,
    outcome: 'completed',
  })

  it.each(['retract', 'continue', 'fail'] as const)(
    'of the MCP connector, with its result or without, is not run again: %s',
    async (retraction) => {
      const scenario = scenarioOf(mcp, retraction)
      let withResult = 0
      let without = 0
      await dieAtEvery(scenario, async ({ at, world, before, after, result, asked }) => {
        if (!hasBegun(before, 'mcp_tool_use')) return
        if (hasBegun(before, 'mcp_tool_result')) withResult += 1
        else without += 1
        expect(result, at).toMatchObject({ outcome: 'failed', error: { code: 'server_tool_outcome_unknown' } })
        expect(asked, at).toEqual([])
        expect(only(after, 'run.finished'), at).toMatchObject([{ error: { code: 'server_tool_outcome_unknown' } }])
        expect(result.unfinished, at).toMatchObject({ repeatable: false })
        await check(world, { ...scenario, outcome: 'failed' }, result, at)
      })
      expect([withResult > 3, without > 1]).toEqual([true, true])
    },
  )

  it.each<[string, Pair, Required<AgentOptions>['recovery']]>([
    ['of the MCP connector, where it may', mcp, { retryAfterServerTools: 'always' }],
    ['that searches', server('web_search'), {}],
    ['that fetches', server('web_fetch'), {}],
  ])('%s, is run again', async (_what, pair, recovery) => {
    const scenario = scenarioOf(pair, 'retract', recovery)
    let begun = 0
    await dieAtEvery(scenario, async ({ at, world, before, result, asked }) => {
      await check(world, scenario, result, at)
      expect(asked.length, at).toBe(before.some(({ type }) => type === 'turn.finished') ? 0 : 1)
      if (hasBegun(before, pair[0].type)) begun += 1
    })
    expect(begun).toBeGreaterThan(5)
  })

  it('that executes code is not run again once its input had begun to arrive', async () => {
    const scenario = scenarioOf(server('code_execution'), 'retract')
    let begun = 0
    await dieAtEvery(scenario, async ({ at, world, before, result, asked }) => {
      const called = only(openTurn(before), 'tool.input').length > 0
      await check(world, { ...scenario, outcome: called ? 'failed' : 'completed' }, result, at)
      expect(result.error?.code, at).toBe(called ? 'server_tool_outcome_unknown' : undefined)
      if (!called) return
      begun += 1
      expect(asked, at).toEqual([])
    })
    expect(begun).toBeGreaterThan(3)
  })
})

describe('a call whose input was no JSON', () => {
  const turns: readonly Turn[] = [
    {
      content: [text('I write.'), toolUse('write', { path: 'a', body: 'a longer text' }, { id: 'toolu_write' })],
      chunking: { sizes: [6] },
    },
    { content: [text('It was no JSON.')], chunking: { sizes: [6] } },
  ]

  it.each(['retract', 'hold', 'continue'] as const)(
    'is never run, by no process, and the model is told once: %s',
    async (retraction) => {
      const inputs: unknown[] = []
      const write = defineTool({
        name: 'write',
        description: '',
        inputSchema: { jsonSchema: { type: 'object' } },
        definition: { eager_input_streaming: true },
        run: (input) => inputs.push(input),
      })
      const scenario: Scenario = {
        turns,
        tools: () => [write],
        faults: [{ kind: 'tool-json-cut', piece: 2, times: 'forever' }],
        retraction,
        outcome: 'completed',
      }
      await dieAtEvery(scenario, async ({ at, world, after, result }) => {
        await check(world, scenario, result, at)
        expect(inputs, at).toEqual([])
        const ends = only(after, 'tool.finished')
        expect(ends, at).toMatchObject([
          { toolUseId: 'toolu_write', outcome: 'error', result: expect.stringContaining('not a JSON object') },
        ])
        const told = result.newMessages.flatMap(blocksOf).filter(({ type }) => type === 'tool_result')
        expect(told, at).toMatchObject([{ tool_use_id: 'toolu_write', is_error: true, content: ends[0]?.result }])
      })
    },
  )
})

describe('a call that was started early, and whose attempt the process took with it', () => {
  it.each(['retract', 'continue'] as const)('is said to be discarded, once: %s', async (retraction) => {
    // Without an id of its own: each answer makes another one, as the API does.
    const turns: readonly Turn[] = [
      { content: [text('I look.'), toolUse('look_up', { order: 17 }), text('More words.')], chunking: { sizes: [5] } },
      { content: [text('Found.')], chunking: { sizes: [5] } },
    ]
    const options = { eagerTools: true }
    const scenario: Scenario = { turns, options, frameByFrame: true, retraction, outcome: 'completed' }
    let lost = 0
    let settledAndLost = 0
    await dieAtEvery(scenario, async ({ at, world, before, after, result }) => {
      await check(world, scenario, result, at)
      const inHistory = result.newMessages
        .flatMap(blocksOf)
        .flatMap(({ type, id }) => (type === 'tool_use' ? [id] : []))
      for (const toolUseId of new Set(only(after, 'tool.started').map((event) => event.toolUseId))) {
        const ends = only(after, 'tool.finished').filter((event) => event.toolUseId === toolUseId)
        const isLost = !inHistory.includes(toolUseId)
        expect(ends.at(-1)?.outcome, at).toBe(isLost ? 'discarded' : 'ok')
        expect(ends.filter(({ outcome }) => outcome === 'discarded').length, at).toBe(isLost ? 1 : 0)
        if (!isLost) continue
        lost += 1
        if (only(before, 'tool.finished').some((event) => event.toolUseId === toolUseId)) settledAndLost += 1
      }
    })
    expect([lost > settledAndLost, settledAndLost > 0]).toEqual([true, true])
  })

  /** Its process dies when the call has started; the next one when it has said so, or when the call has started anew. */
  async function dieTwice(
    id: string | undefined,
    second: 'tool.finished' | 'tool.started',
  ): Promise<readonly string[]> {
    const call = toolUse('look_up', { order: 17 }, id === undefined ? {} : { id })
    const turns: readonly Turn[] = [{ content: [text('I look.'), call, text('More words.')] }, { content: [text('x')] }]
    const scenario: Scenario = {
      turns,
      options: { eagerTools: true },
      retraction: 'retract',
      outcome: 'completed',
    }
    const claude = await claudeFor([])
    const counted = createWorld(claude, scenario)
    await live(counted, scenario, Number.POSITIVE_INFINITY)
    const [started] = only(await storedEvents(counted.store, runId), 'tool.started')
    const first = started?.seq ?? 0
    const world = createWorld(claude, scenario)
    await live(world, scenario, first)
    const whole = createWorld(claude, scenario)
    await live(whole, scenario, first)
    await takeOver(whole, scenario, Number.POSITIVE_INFINITY)
    const later = (await storedEvents(whole.store, runId)).find(({ seq, type }) => seq > first && type === second)
    await takeOver(world, scenario, later?.seq ?? 0)

    // The model has thought better of it.
    const without = [{ content: [text('I need not look.')] }]
    const result = await takeOver(world, { ...scenario, afterwards: without }, Number.POSITIVE_INFINITY)
    if (result === undefined) throw new Error('died again')
    await check(world, scenario, result, `died twice, then at ${second}`)
    return (await storedEvents(world.store, runId)).flatMap((event) => {
      if (event.type === 'tool.started') return ['started']
      return event.type === 'tool.finished' ? [event.outcome] : []
    })
  }

  it('is not said to be discarded again by the process after the next', async () => {
    expect(await dieTwice(undefined, 'tool.finished')).toEqual(['started', 'discarded'])
  })

  it.each([undefined, 'toolu_look'])('is discarded as often as it was started: %s', async (id) => {
    const ends = await dieTwice(id, 'tool.started')
    expect(ends).toEqual(['started', 'discarded', 'started', 'discarded'])
  })
})

describe('the container that a turn was answered with', () => {
  const container = { id: 'container_1', expires_at: '2030-01-01T00:00:00Z', skills: null }
  const charge = toolUse('charge', { cents: 5 }, { id: 'toolu_charge' })

  it.each(['stream', 'buffered'] as const)('is that of the next request, whoever makes it: %s', async (mode) => {
    const scenario: Scenario = {
      turns: [
        { content: [text('I charge.'), charge], container, chunking: { sizes: [6] } },
        { content: [text('Charged.')], chunking: { sizes: [6] } },
      ],
      mode,
      outcome: 'completed',
    }
    let resumed = 0
    await dieAtEvery(scenario, async ({ at, world, before, after, result, asked }) => {
      await check(world, scenario, result, at)
      const finished = only(before, 'turn.finished').length
      const carried = asked.map((body) => body?.['container'])
      expect(carried, at).toEqual([undefined, 'container_1'].slice(finished))
      expect(
        only(after, 'turn.finished').map((event) => event.container),
        at,
      ).toEqual(['container_1', 'container_1'])
      if (finished === 1) resumed += 1
    })
    expect(resumed).toBeGreaterThan(3)
  })
})
