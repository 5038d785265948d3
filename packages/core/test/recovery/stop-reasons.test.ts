import { text, toolUse, type Turn, validateMessages } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import {
  type AgentEvent,
  type AgentOptions,
  defineTool,
  type FlagClient,
  type RunInput,
  type RunResult,
} from '../../src/index.ts'
import { agentOn, claudeFor, eventsOf, only, question } from '../support/scripted.ts'

const inputSchema = { jsonSchema: { type: 'object' } }

interface Ran {
  readonly events: readonly AgentEvent[]
  readonly result: RunResult
  /** The inputs that the tool ran with. */
  readonly ran: readonly unknown[]
  readonly requests: readonly Readonly<Record<string, unknown>>[]
}

async function runScript(
  script: Parameters<typeof claudeFor>[0],
  options: Partial<AgentOptions> & { readonly definition?: Readonly<Record<string, unknown>> } = {},
  faults: Parameters<typeof claudeFor>[1] = {},
  mode: RunInput['mode'] = 'auto',
): Promise<Ran> {
  const { definition = {}, ...rest } = options
  const claude = await claudeFor(script, faults)
  const ran: unknown[] = []
  const act = defineTool({
    name: 'act',
    description: '',
    inputSchema,
    definition,
    run: (input) => (ran.push(input), 'acted'),
  })
  const run = agentOn(claude, { tools: [act], ...rest }).run({ messages: question, user: 'ada', mode })
  const events = await eventsOf(run)
  const result = await run.result
  expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }])).toBeUndefined()
  return { events, result, ran, requests: claude.requests.map(({ body = {} }) => body) }
}

const act = toolUse('act', { n: 1 }, { id: 'toolu_1' })

describe('a turn that ends', () => {
  it.each(['max_tokens', 'model_context_window_exceeded'])(
    'with %s starts no tool, and is the limit',
    async (stopReason) => {
      const { result, ran } = await runScript([{ content: [text('I act'), act], stopReason }])
      expect(result).toMatchObject({ outcome: 'limit', stopReason, text: 'I act' })
      expect(ran).toEqual([])
      expect(result.messages.at(-1)?.content).toMatchObject([
        { type: 'tool_result', tool_use_id: 'toolu_1', is_error: true, content: expect.stringContaining(stopReason) },
      ])
    },
  )

  it.each(['stream', 'buffered'] as const)(
    'with a stop sequence has completed, and says with which (%s)',
    async (mode) => {
      const turn = { content: [text('One')], stopReason: 'stop_sequence', stopSequence: 'Two' }
      const { result, events } = await runScript([turn], {}, {}, mode)
      expect(result).toMatchObject({ outcome: 'completed', stopReason: 'stop_sequence', text: 'One' })
      expect(only(events, 'turn.finished')).toMatchObject([{ stopSequence: 'Two' }])
    },
  )

  it.each(['stream', 'buffered'] as const)('with a refusal says what the API says of it (%s)', async (mode) => {
    const stopDetails = { type: 'refusal', category: 'cyber' }
    const turn = { content: [text('No')], stopReason: 'refusal', stopDetails }
    const { result, events } = await runScript([turn], {}, {}, mode)
    expect(result.outcome).toBe('refused')
    expect(only(events, 'turn.finished')).toMatchObject([{ stopReason: 'refusal', stopDetails }])
  })

  it('with nothing more to say has no details', async () => {
    const { events } = await runScript([{ content: [text('One')] }])
    const [finished] = only(events, 'turn.finished')
    expect(finished).not.toHaveProperty('stopSequence')
    expect(finished).not.toHaveProperty('stopDetails')
  })

  it('with a reason of tomorrow has completed', async () => {
    const { result } = await runScript([{ content: [text('One')], stopReason: 'a_reason_of_tomorrow' }])
    expect(result).toMatchObject({ outcome: 'completed', stopReason: 'a_reason_of_tomorrow' })
  })

  it.each([
    ['pause_turn', { type: 'server_tool_use', name: 'web_search', input: {} }],
    ['compaction', { type: 'compaction', content: 'So far' }],
  ])('with %s is sent back, as often in a row as the limit says', async (stopReason, block) => {
    let asked = 0
    const paused = (): Turn => ({ content: [{ ...block, id: `srvtoolu_${asked++}` }], stopReason })
    const { result, requests } = await runScript(paused, { limits: { pauses: 2 } })
    expect(result).toMatchObject({ outcome: 'limit', stopReason })
    expect(requests).toHaveLength(3)
    expect(requests[1]?.['messages']).toMatchObject([{}, { role: 'assistant', content: [block] }])
  })

  it('with a pause that leads to something may pause again', async () => {
    const pause: Turn = { content: [{ type: 'compaction', content: 'So far' }], stopReason: 'compaction' }
    const tool = (n: number): Turn => ({ content: [toolUse('act', { n }, { id: `toolu_${n}` })] })
    const { result, ran } = await runScript([pause, tool(1), pause, tool(2), pause, { content: [text('Done.')] }], {
      limits: { pauses: 1 },
    })
    expect(result).toMatchObject({ outcome: 'completed', text: 'Done.' })
    expect(ran).toHaveLength(2)
  })

  it('in a container is followed by requests to that container', async () => {
    const container = (id: string): Partial<Turn> => ({ container: { id, expires_at: '2030-01-01T00:00:00Z' } })
    const { requests } = await runScript([
      { content: [act], ...container('container_1') },
      { content: [toolUse('act', { n: 2 }, { id: 'toolu_2' })] },
      { content: [toolUse('act', { n: 3 }, { id: 'toolu_3' })], ...container('container_2') },
      { content: [text('Done.')] },
    ])
    expect(requests.map((body) => body['container'])).toEqual([undefined, 'container_1', 'container_1', 'container_2'])
  })
})

describe('an input that is no JSON', () => {
  const script: Turn[] = [{ content: [text('I act.'), act], chunking: { sizes: [3] } }, { content: [text('Done.')] }]
  const cut = { faults: [{ kind: 'tool-json-cut', piece: 1, times: 'forever', turn: 1 }] } as const

  it('is asked for again, and comes parsed without streaming', async () => {
    const { events, ran, result } = await runScript(script, {}, cut)
    expect(only(events, 'fallback').map(({ to, reason }) => [to, reason])).toEqual([
      ['stream', 'invalid_tool_input'],
      ['buffered', 'invalid_tool_input'],
    ])
    expect(ran).toEqual([{ n: 1 }])
    expect(result.outcome).toBe('completed')
  })

  it('of a tool with eager input streaming is told to the model, and runs nothing', async () => {
    const { events, ran, result } = await runScript(script, { definition: { eager_input_streaming: true } }, cut)
    expect(only(events, 'fallback')).toEqual([])
    expect(ran).toEqual([])
    expect(JSON.stringify(result.messages)).toContain('The input was not a JSON object')
    expect(result).toMatchObject({ outcome: 'completed', text: 'Done.' })
  })
})

describe('the kill switch', () => {
  it('reaches a run that streams with its next turn, which then stays without', async () => {
    let killed = false
    const flags: FlagClient = {
      getBooleanDetails: (key) =>
        Promise.resolve({ flagKey: key, value: key === 'use_streaming.kill' ? killed : true }),
    }
    const steps: Turn[] = [1, 2, 3].map((n) => ({ content: [toolUse('act', { n }, { id: `toolu_${n}` })] }))
    const claude = await claudeFor([...steps, { content: [text('Done.')] }])
    const act = defineTool({
      name: 'act',
      description: '',
      inputSchema,
      run(input) {
        killed = JSON.stringify(input) === '{"n":2}'
        return 'acted'
      },
    })
    const run = agentOn(claude, { tools: [act], flags }).run({ messages: question, user: 'ada' })
    const events = await eventsOf(run)
    expect((await run.result).outcome).toBe('completed')
    expect(only(events, 'turn.started').map(({ mode }) => mode)).toEqual(['stream', 'stream', 'buffered', 'buffered'])
    expect(only(events, 'fallback')).toMatchObject([{ turn: 3, from: 'stream', to: 'buffered', reason: 'killed' }])
  })
  it('reaches a turn that goes on from a broken one', async () => {
    let killed = false
    const flags: FlagClient = {
      getBooleanDetails: (key) =>
        Promise.resolve({ flagKey: key, value: key === 'use_streaming.kill' ? killed : true }),
    }
    const claude = await claudeFor([{ content: [text('Words that break off in the middle.')] }], {
      faults: [{ kind: 'destroy', at: { event: 4 }, times: 1 }],
    })
    const run = agentOn(claude, { flags }).run({
      messages: question,
      callbacks: { onText: () => void (killed = true) },
    })
    const events = await eventsOf(run)
    expect((await run.result).outcome).toBe('completed')
    expect(only(events, 'turn.started').map(({ turn, mode }) => [turn, mode])).toEqual([
      [1, 'stream'],
      [2, 'buffered'],
    ])
    expect(only(events, 'fallback')).toMatchObject([{ to: 'continue' }, { turn: 2, to: 'buffered', reason: 'killed' }])
  })
})
