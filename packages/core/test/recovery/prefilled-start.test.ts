import { describe, expect, it } from 'vitest'
import { type AgentEvent, createAgent, defineTool, type RunResult } from '../../src/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { runJournal } from '../../src/journal/index.ts'
import { storedEvents } from '../journal/stored-events.ts'
import { eventsOf, only, question, request } from '../support/scripted.ts'
import {
  event,
  jsonAnswer,
  type RawAnswer,
  rawModel,
  type RawModel,
  textAnswer,
  textBlock,
} from '../support/raw-model.ts'
import { historyText, screenOf } from './screen.ts'

type Events = Extract<RawAnswer, { events: unknown }>['events']

const caller = { type: 'direct' }
const roll = { type: 'tool_use', id: 'toolu_1', name: 'roll', input: { player: 'a' }, caller }
const again = { ...roll, id: 'toolu_2', input: { player: 'b' } }
const said = { type: 'text', text: 'I roll.' }

interface Driven {
  readonly model: RawModel
  /** The inputs of the calls that ran. */
  readonly inputs: readonly unknown[]
  readonly events: readonly AgentEvent[]
  readonly result: RunResult
}

/** Drives a run whose first request is answered with `first`, and every other with a text. */
async function drive(
  first: RawAnswer,
  options: { mode?: 'stream' | 'buffered'; eagerTools?: boolean } = {},
): Promise<Driven> {
  const { mode = 'stream', eagerTools = false } = options
  const model = rawModel(({ stream }, count) => {
    if (count === 1) return first
    return stream === true ? textAnswer('Done.') : jsonAnswer([{ type: 'text', text: 'Done.' }], 'end_turn')
  })
  const inputs: unknown[] = []
  const tool = defineTool({
    name: 'roll',
    description: '',
    inputSchema: { jsonSchema: { type: 'object' } },
    readOnly: true,
    run: (input) => {
      inputs.push(input)
      return '6'
    },
  })
  const recovery = { backoff: 0 }
  const agent = createAgent({ client: model.client, request, tools: [tool], recovery, eagerTools })
  const run = agent.run({ messages: question, mode })
  const events = await eventsOf(run)
  return { model, inputs, events, result: await run.result }
}

const ends: [name: string, events: Events][] = [
  ['message_stop', [event.close]],
  ['nothing', []],
  ['a ping and an unknown event', [{ type: 'ping' }, { type: 'aurora' }, event.close]],
  ['a message_delta', [event.end('tool_use'), event.close]],
  ['a message_delta without a stop reason', [event.end(null), event.close]],
  ['the same start again', [event.start({ content: [roll], stop_reason: 'tool_use' }), event.close]],
]

describe.each(ends)('a message_start that holds the answer, followed by %s', (_name, end) => {
  it('is the whole answer: its call runs once, and nothing is asked again', async () => {
    const start = event.start({ content: [roll], stop_reason: 'tool_use' })
    const { model, inputs, events, result } = await drive({ events: [start, ...end] })
    expect(result).toMatchObject({ outcome: 'completed', text: 'Done.', turns: 2 })
    expect(only(events, 'fallback')).toEqual([])
    expect(model.requests.map(({ stream }) => stream)).toEqual([true, true])
    expect(inputs).toEqual([{ player: 'a' }])
    expect(result.newMessages[0]).toEqual({ role: 'assistant', content: [roll] })
    expect(only(events, 'turn.finished')[0]).toMatchObject({ stopReason: 'tool_use', content: [roll] })
  })

  it('is shown like any other', async () => {
    const start = event.start({ content: [said, roll], stop_reason: 'tool_use' })
    const { events } = await drive({ events: [start, ...end] })
    const shown = events.flatMap((each) => ('block' in each && each.turn === 1 ? [[each.type, each.block]] : []))
    expect(shown).toEqual([
      ['block.started', 0],
      ['text.delta', 0],
      ['block.finished', 0],
      ['block.started', 1],
      ['tool.input', 1],
      ['block.finished', 1],
    ])
    expect(only(events, 'tool.input')).toMatchObject([{ toolUseId: 'toolu_1', name: 'roll', json: '{"player":"a"}' }])
    expect(screenOf(events).problems).toEqual([])
  })
})

describe('a message_start with content and without a stop reason', () => {
  it.each<[name: string, rest: Events, content: readonly unknown[]]>([
    ['a message_delta', [event.end('tool_use'), event.close], [said, roll]],
    [
      'a further call',
      [
        event.block(2, { ...again, input: {} }),
        event.json(2, '{"player":"b"}'),
        event.stop(2),
        event.end('tool_use'),
        event.close,
      ],
      [said, roll, again],
    ],
    [
      'deltas of its own block',
      [event.text(0, ' Twice.'), event.stop(0), event.end('tool_use'), event.close],
      [{ ...said, text: 'I roll. Twice.' }, roll],
    ],
  ])('goes on with %s', async (_name, rest, content) => {
    const { events, result } = await drive({ events: [event.start({ content: [said, roll] }), ...rest] })
    expect(only(events, 'fallback')).toEqual([])
    expect(result.newMessages[0]).toEqual({ role: 'assistant', content })
    expect(screenOf(events).problems).toEqual([])
    expect(screenOf(events).text()).toBe(historyText(result.newMessages))
  })

  it('is broken where nothing says that it is whole', async () => {
    const { events, result } = await drive({ events: [event.start({ content: [said] })] })
    expect(only(events, 'fallback')).toMatchObject([{ to: 'stream', reason: 'truncated' }])
    expect(result).toMatchObject({ outcome: 'completed', text: 'Done.' })
  })
})

describe('a message_start that holds what its events say again, as gateways make them of a whole answer', () => {
  const start = event.start({ content: [said], stop_reason: 'end_turn' })

  it('is read once', async () => {
    const { events, result } = await drive({
      events: [start, ...textBlock(0, 'I roll.'), event.end('end_turn'), event.close],
    })
    expect(only(events, 'fallback')).toEqual([])
    expect(result).toMatchObject({ outcome: 'completed', text: 'I roll.' })
    expect(screenOf(events).text()).toBe('I roll.')
  })

  it('is broken where those events are cut', async () => {
    const both = event.start({ content: [said, { type: 'text', text: 'More.' }], stop_reason: 'end_turn' })
    const { events, result } = await drive({ events: [both, ...textBlock(0, 'I roll.')] })
    expect(only(events, 'fallback')).toMatchObject([{ reason: 'truncated' }])
    expect(result.text).toBe('Done.')
  })

  it('is broken where it has a stop reason, no content, and nothing follows', async () => {
    const { events } = await drive({ events: [event.start({ stop_reason: 'end_turn' })] })
    expect(only(events, 'fallback')).toMatchObject([{ reason: 'truncated' }])
  })
})

it('a start that holds something other than content blocks is refused, and asked again', async () => {
  const { events, result } = await drive({ events: [event.start({ content: ['I roll.'] }), event.close] })
  expect(only(events, 'fallback')).toMatchObject([{ reason: 'protocol_error' }])
  expect(result.outcome).toBe('completed')
})

it('an answer that stands in its start gives the history of one without streaming, and is stored like it', async () => {
  const streamed = await drive({
    events: [event.start({ content: [said, roll], stop_reason: 'tool_use' }), event.close],
  })
  const buffered = await drive(jsonAnswer([said, roll], 'tool_use'), { mode: 'buffered' })
  expect(streamed.result.messages).toEqual(buffered.result.messages)
  const contents = (events: readonly AgentEvent[]): unknown[] =>
    only(events, 'turn.finished').map(({ content }) => content)
  expect(contents(streamed.events)).toEqual(contents(buffered.events))
})

it('a call that stands in the start may start early', async () => {
  const { inputs, events } = await drive(
    { events: [event.start({ content: [roll] }), ...textBlock(1, 'And?'), event.end('tool_use'), event.close] },
    { eagerTools: true },
  )
  expect(inputs).toEqual([{ player: 'a' }])
  const order = events.map(({ type }) => type)
  expect(order.indexOf('tool.started')).toBeLessThan(order.indexOf('turn.finished'))
})

it('code that Anthropic runs calls a tool again and again: each later answer stands in its start', async () => {
  const code = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'code_execution', input: { code: 'x' }, caller }
  const byCode = { type: 'code_execution_20250825', tool_id: 'srvtoolu_1' }
  const first = { ...roll, caller: byCode }
  const second = { ...again, caller: byCode }
  const done = { type: 'code_execution_tool_result', tool_use_id: 'srvtoolu_1', content: { return_code: 0 } }
  const answers: Events[] = [
    [
      event.start({ container: { id: 'container_1' } }),
      event.block(0, code),
      event.stop(0),
      event.block(1, first),
      event.stop(1),
      event.end('tool_use'),
      event.close,
    ],
    [event.start({ content: [second], stop_reason: 'tool_use', container: { id: 'container_1' } }), event.close],
    [
      event.start(),
      event.block(0, done),
      event.stop(0),
      ...textBlock(1, 'Two sixes.'),
      event.end('end_turn'),
      event.close,
    ],
  ]
  const store = memoryRunStore()
  const model = rawModel((_request, count) => ({ events: answers[count - 1] ?? [] }))
  const inputs: unknown[] = []
  const inputSchema = { jsonSchema: { type: 'object' } }
  const tool = defineTool({ name: 'roll', description: '', inputSchema, run: (input) => void inputs.push(input) })
  const agent = createAgent({ client: model.client, request, tools: [tool], journal: runJournal(store) })
  const run = agent.run({ messages: question })
  const { newMessages, text } = await run.result
  expect(text).toBe('Two sixes.')
  expect(inputs).toEqual([{ player: 'a' }, { player: 'b' }])
  expect(model.requests.map((body) => body['container'])).toEqual([undefined, 'container_1', 'container_1'])
  const said = newMessages.filter(({ role }) => role === 'assistant').map(({ content }) => content)
  expect(said.slice(0, 2)).toEqual([[code, first], [second]])
  // What another process would take the run up from.
  const stored = await storedEvents(store, run.runId)
  expect(only(stored, 'turn.finished').map(({ content }) => content)).toEqual(said)
})
