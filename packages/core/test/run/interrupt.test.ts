import { redactedData, text, thinking, toolUse, type Turn, validateMessages } from '@millrace/testing'
import { deferred, manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import {
  type AgentEvent,
  type AgentOptions,
  createAgent,
  defineTool,
  type RunInput,
  type RunResult,
  type Tool,
} from '../../src/index.ts'
import { frameByFrame } from '../support/frame-by-frame.ts'
import { agentOn, claudeFor, clientOf, eventsOf, only, question, request } from '../support/scripted.ts'

const inputSchema = { jsonSchema: { type: 'object' } }

/** Three turns with everything in them that an interrupt may cut through. */
const turns: readonly Turn[] = [
  {
    content: [
      thinking('Two things are to be looked up, let me do that.'),
      text('I look both up now, one moment please.'),
      toolUse('look_up', { order: '17', note: 'a longer input, so that it comes in pieces' }, { id: 'toolu_1' }),
      toolUse('look_up', { order: '18' }, { id: 'toolu_2' }),
      toolUse('charge', {}, { id: 'toolu_3' }),
    ],
    chunking: { sizes: [7] },
  },
  {
    content: [
      text(' '),
      { type: 'redacted_thinking', data: redactedData('x') },
      { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'news' } },
      { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] },
      { type: 'mcp_tool_use', id: 'mcptoolu_1', name: 'echo', server_name: 'echo', input: {} },
      { type: 'mcp_tool_result', tool_use_id: 'mcptoolu_1', is_error: false, content: [] },
      thinking('And once more.'),
      text('And now I charge.', [{ type: 'char_location', cited_text: 'x' }]),
      toolUse('charge', { cents: 5 }, { id: 'toolu_4' }),
    ],
    chunking: { sizes: [9] },
  },
  {
    content: [thinking('Done, I can answer.'), text('All is done, and this is the answer.')],
    chunking: { sizes: [9] },
  },
]

interface Interrupted {
  readonly result: RunResult
  readonly events: readonly AgentEvent[]
}

/** Runs the script, stops at the event of this number, and gives what is left. */
async function interruptAt(
  seq: number,
  how: 'interrupt' | 'signal',
  options: Partial<AgentOptions> = {},
  input: Partial<RunInput> = {},
): Promise<Interrupted> {
  const claude = await claudeFor(turns)
  const controller = new AbortController()
  const agent = agentOn(claude, { ...options, tools: tools() })
  const events: AgentEvent[] = []
  const run = agent.run({
    messages: question,
    signal: controller.signal,
    ...input,
    callbacks: {
      onEvent(event) {
        events.push(event)
        if (event.seq !== seq) return
        if (how === 'signal') controller.abort()
        else run.interrupt('user')
      },
    },
  })
  const result = await run.result
  claude.setScript(() => ({ content: [text('Carried on.')] }))
  const next = await agent.run({ messages: [...result.messages, { role: 'user', content: 'And now?' }] }).result
  expect(next.error).toBeUndefined()
  expect(next).toMatchObject({ outcome: 'completed', text: 'Carried on.' })
  await claude.close()
  return { result, events }
}

function tools(): readonly Tool[] {
  return [
    defineTool({
      name: 'look_up',
      description: '',
      inputSchema,
      readOnly: true,
      async *run() {
        yield { progress: 1 }
        await Promise.resolve()
        yield { progress: 2 }
        return 'found'
      },
    }),
    defineTool({ name: 'charge', description: '', inputSchema, run: () => 'charged' }),
  ]
}

/** The text that a consumer of the events has in the end, by turn; without blank blocks, which history does not hold. */
function shownText(events: readonly AgentEvent[]): string {
  const shown = new Map<string, { turn: number; block: number; text: string }>()
  for (const event of events) {
    if (event.type === 'text.delta') {
      const key = `${event.turn}.${event.block}`
      const before = shown.get(key)?.text ?? ''
      shown.set(key, { turn: event.turn, block: event.block, text: before + event.text })
    }
    if (event.type !== 'turn.retracted') continue
    for (const entry of shown.values()) {
      if (entry.turn !== event.turn || entry.block < event.fromBlock) continue
      entry.text = entry.block === event.fromBlock ? entry.text.slice(0, event.fromOffset) : ''
    }
  }
  return [...shown.values()].map(({ text }) => (text.trim() === '' ? '' : text)).join('')
}

function textOfHistory({ newMessages }: RunResult): string {
  return newMessages
    .filter(({ role }) => role === 'assistant')
    .flatMap(({ content }) => (typeof content === 'string' ? [] : content))
    .map((block) => (block.type === 'text' ? block.text : ''))
    .join('')
}

async function lengthOf(options: Partial<AgentOptions>, input: Partial<RunInput>): Promise<number> {
  const { events, result } = await interruptAt(Number.POSITIVE_INFINITY, 'interrupt', options, input)
  expect(result.outcome).toBe('completed')
  expect(events.length).toBeGreaterThan(30)
  return events.length
}

const ways: readonly (readonly [string, Partial<AgentOptions>, Partial<RunInput>])[] = [
  ['streamed', {}, { mode: 'stream' }],
  ['streamed, with tools that start early', { eagerTools: true }, { mode: 'stream' }],
  ['streamed to a reader that cannot retract', {}, { mode: 'stream', retraction: 'continue' }],
  ['held back', {}, { mode: 'stream', retraction: 'hold' }],
  ['buffered', {}, { mode: 'buffered' }],
]

describe.each(ways)('a run that is %s', (_name, options, input) => {
  it.each(['interrupt', 'signal'] as const)('may be stopped at any event, by %s', async (how) => {
    const length = await lengthOf(options, input)
    for (let seq = 1; seq <= length; seq++) {
      const { result, events } = await interruptAt(seq, how, options, input)
      const at = `stopped at event ${seq} of ${length}, ${events[seq - 1]?.type}`
      expect(['interrupted', 'completed'], at).toContain(result.outcome)
      // A turn whose last byte has arrived is whole, however early in its events it was stopped.
      const isWhole = result.text === 'All is done, and this is the answer.'
      expect(result.outcome === 'completed' ? isWhole : true, at).toBe(true)
      expect(result.turns < 3 ? result.outcome : 'interrupted', at).toBe('interrupted')
      expect(result.error, at).toBeUndefined()
      expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }]), at).toBeUndefined()
      expect(result.messages.slice(0, question.length)).toEqual(question)
      // What a client shows is what history holds.
      expect(shownText(events), at).toBe(textOfHistory(result))
      expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1))
      expect(only(events, 'run.finished')).toHaveLength(1)
      expect(events.at(-1)?.type).toBe('run.finished')
      // Each started call has its end, and its answer in history.
      const started = only(events, 'tool.started').map(({ toolUseId }) => toolUseId)
      const finished = only(events, 'tool.finished').map(({ toolUseId }) => toolUseId)
      expect(finished, at).toEqual(expect.arrayContaining(started))
      const answered = JSON.stringify(result.messages)
      const settled = only(events, 'tool.finished').filter(({ outcome }) => outcome === 'ok')
      for (const { toolUseId } of settled) expect(answered, at).toContain(toolUseId)
    }
  })
})

describe('a stream of which a part has arrived', () => {
  const modes: readonly (readonly [string, Partial<AgentOptions>, Partial<RunInput>])[] = ways.slice(0, 4)

  it.each(modes)('may be stopped after any frame: %s', async (_name, options, input) => {
    const claude = await claudeFor(turns)
    let frames = 0
    const whole = createAgent({
      client: frameByFrame(claude, (count) => void (frames = count)),
      request,
      tools: tools(),
      ...options,
    })
    expect((await whole.run({ messages: question, ...input }).result).outcome).toBe('completed')
    expect(frames).toBeGreaterThan(60)
    for (let stop = 0; stop < frames; stop++) {
      const client = frameByFrame(claude, (count) => {
        if (count === stop) run.interrupt()
      })
      const agent = createAgent({ client, request, tools: tools(), ...options })
      const events: AgentEvent[] = []
      const run = agent.run({
        messages: question,
        ...input,
        callbacks: { onEvent: (event) => void events.push(event) },
      })
      const result = await run.result
      const at = `stopped after frame ${stop} of ${frames}`
      expect(result.error, at).toBeUndefined()
      expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }]), at).toBeUndefined()
      expect(shownText(events), at).toBe(textOfHistory(result))
    }
  })
})

describe('an interrupt', () => {
  it('before the run has begun asks nothing', async () => {
    const claude = await claudeFor(turns)
    const run = agentOn(claude).run({ messages: question })
    run.interrupt()
    expect(await run.result).toMatchObject({ outcome: 'interrupted', messages: question, newMessages: [] })
    expect(claude.requests).toHaveLength(0)
  })

  it('by a signal that has aborted before asks nothing', async () => {
    const claude = await claudeFor(turns)
    const run = agentOn(claude).run({ messages: question, signal: AbortSignal.abort() })
    expect(await run.result).toMatchObject({ outcome: 'interrupted', newMessages: [] })
    expect(claude.requests).toHaveLength(0)
  })

  it('while the model thinks closes the connection', async () => {
    const claude = await claudeFor([{ content: [text('x')] }], { faults: [{ kind: 'stall', at: { event: 1 } }] })
    const run = agentOn(claude).run({ messages: question })
    const started = await claude.waitFor(({ status }) => status === 200)
    run.interrupt()
    expect((await run.result).outcome).toBe('interrupted')
    const ended = await claude.waitFor(({ index, endedAt }) => index === started.index && endedAt !== undefined)
    expect(ended.closedBy).toBe('client')
  })

  it.each(['stream', 'buffered'] as const)('before the headers of a %s ends the wait', async (mode) => {
    const claude = await claudeFor([{ content: [text('x')] }], { faults: [{ kind: 'no-headers' }] })
    const run = agentOn(claude).run({ messages: question, mode })
    await claude.nextRequest()
    run.interrupt()
    expect((await run.result).outcome).toBe('interrupted')
    await claude.waitFor(({ closedBy }) => closedBy === 'client')
  })

  it('during a backoff ends the wait', async () => {
    const clock = manualClock()
    const claude = await claudeFor(turns, { faults: [{ kind: 'status', status: 529 }] })
    const agent = createAgent({
      client: clientOf(claude),
      request,
      recovery: { backoff: 4_000 },
      runtime: { clock, random: () => 0 },
    })
    const run = agent.run({ messages: question })
    await clock.timer(4_000)
    run.interrupt()
    expect((await run.result).outcome).toBe('interrupted')
    expect(claude.requests).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  it('after the end changes nothing, nor does a second one', async () => {
    const claude = await claudeFor([{ content: [text('Hello')] }])
    const run = agentOn(claude).run({ messages: question })
    const events = await eventsOf(run)
    run.interrupt()
    run.interrupt()
    expect((await run.result).outcome).toBe('completed')
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
  })

  it('leaves no listener on the signal of a run that is over', async () => {
    const claude = await claudeFor([{ content: [text('Hello')] }])
    const { signal } = new AbortController()
    let listeners = 0
    const counted: AbortSignal = Object.create(signal, {
      aborted: { get: () => signal.aborted },
      addEventListener: {
        value: (...args: Parameters<typeof signal.addEventListener>) => (listeners++, signal.addEventListener(...args)),
      },
      removeEventListener: {
        value: (...args: Parameters<typeof signal.removeEventListener>) => (
          listeners--,
          signal.removeEventListener(...args)
        ),
      },
    })
    await agentOn(claude).run({ messages: question, signal: counted }).result
    expect(listeners).toBe(0)
  })
})

describe('a tool that runs when the run is stopped', () => {
  const script: readonly Turn[] = [
    { content: [toolUse('slow', {}, { id: 'toolu_1' }), toolUse('slow', {}, { id: 'toolu_2' })] },
  ]

  it('is given its grace, and what it then gives stands in history', async () => {
    const clock = manualClock()
    const started = deferred()
    const release = deferred<string>()
    const slow = defineTool({
      name: 'slow',
      description: '',
      inputSchema,
      run(_input, { signal, toolUseId }) {
        if (toolUseId === 'toolu_1') return 'quick'
        signal.addEventListener('abort', () => release.resolve('saved what there was'), { once: true })
        started.resolve()
        return release.promise
      },
    })
    const claude = await claudeFor(script)
    const run = agentOn(claude, { tools: [slow], runtime: { clock } }).run({ messages: question })
    await started.promise
    run.interrupt()
    const { messages, outcome } = await run.result
    expect(outcome).toBe('interrupted')
    expect(messages.at(-1)?.content).toEqual([
      { type: 'tool_result', tool_use_id: 'toolu_1', content: 'quick' },
      { type: 'tool_result', tool_use_id: 'toolu_2', content: 'saved what there was' },
    ])
    expect(clock.pending).toBe(0)
  })

  it('and does not stop is left behind after the grace, its outcome unknown, its late progress unheard', async () => {
    const clock = manualClock()
    const started = deferred()
    const release = deferred<string>()
    let report: (progress: { message: string }) => void = () => {}
    const slow = defineTool({
      name: 'slow',
      description: '',
      inputSchema,
      run(_input, { progress }) {
        report = progress
        started.resolve()
        return release.promise
      },
    })
    const claude = await claudeFor(script)
    const agent = agentOn(claude, {
      tools: [slow],
      runtime: { clock },
      limits: { interruptGrace: 5_000, parallelTools: 1 },
    })
    const run = agent.run({ messages: question })
    const collected = eventsOf(run)
    await started.promise
    run.interrupt()
    await clock.timer(5_000)
    clock.advance(4_999)
    clock.advance(1)
    const { messages, outcome } = await run.result
    expect(outcome).toBe('interrupted')
    report({ message: 'still here' })
    release.resolve('too late')
    const events = await collected
    expect(only(events, 'tool.finished').map((event) => event.outcome)).toEqual(['unknown', 'cancelled'])
    expect(only(events, 'tool.progress')).toEqual([])
    expect(validateMessages([...messages, { role: 'user', content: 'Next' }])).toBeUndefined()
    expect(JSON.stringify(messages.at(-1)?.content)).toMatch(/unknown whether it took effect.*was not run/)
    expect(clock.pending).toBe(0)
  })
})

describe('a call that code on the server made', () => {
  const id = 'srvtoolu_1'
  const script: readonly Turn[] = [
    {
      content: [
        text('I compute that.'),
        { type: 'server_tool_use', id, name: 'code_execution', input: { code: 'charge()' } },
        toolUse('charge', { by: 'code' }, { id: 'toolu_1', caller: { type: 'code_execution_20260120', tool_id: id } }),
      ],
    },
    {
      content: [
        { type: 'code_execution_tool_result', tool_use_id: id, content: { type: 'code_execution_result' } },
        text('Computed.'),
      ],
    },
  ]

  it('leaves a history that goes on, wherever the run is stopped', async () => {
    const claude = await claudeFor(script)
    const agent = agentOn(claude, { tools: tools() })
    const { length } = await eventsOf(agent.run({ messages: question }))
    for (let seq = 1; seq <= length; seq++) {
      const run = agent.run({
        messages: question,
        callbacks: { onEvent: (event) => event.seq === seq && run.interrupt() },
      })
      const { messages } = await run.result
      const next = [...messages, { role: 'user', content: 'Next' }]
      expect(validateMessages(next), `stopped at event ${seq} of ${length}`).toBeUndefined()
    }
  })
})
