import { describe, expect, it } from 'vitest'
import { type AgentEvent, createAgent, defineTool, type RunResult, ToolError } from '../../src/index.ts'
import { call, errorOf, expectError } from '../options/offences.ts'
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
import { manualModel, settled } from './manual-model.ts'
import { historyText, screenOf } from './screen.ts'

/** A character of two UTF-16 code units, and its halves as text is left with them that was cut inside it. */
const whole = '\u{1F600}'
const first = '\ud83d'
const second = '\ude00'

/** A half in JSON is an escape sequence, which stands in no well-formed text otherwise. */
const isClean = (value: unknown): boolean => !/(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(JSON.stringify(value))

interface Driven {
  readonly result: RunResult
  readonly events: readonly AgentEvent[]
  readonly model: RawModel
  readonly inputs: readonly unknown[]
}

async function drive(
  answers: readonly RawAnswer[],
  mode: 'stream' | 'buffered' = 'stream',
  run: (input: unknown) => unknown = () => 'ok',
): Promise<Driven> {
  const inputs: unknown[] = []
  const model = rawModel((_request, count) => answers[count - 1] ?? textAnswer('Done.'))
  const inputSchema = { jsonSchema: { type: 'object' } }
  const tool = defineTool({
    name: 'note',
    description: '',
    inputSchema,
    run(input) {
      inputs.push(input)
      return run(input)
    },
  })
  const agent = createAgent({ client: model.client, request, tools: [tool], recovery: { backoff: 0 } })
  const started = agent.run({ messages: question, mode })
  const events = await eventsOf(started)
  const result = await started.result
  expect(screenOf(events).problems).toEqual([])
  expect(isClean(result.messages)).toBe(true)
  expect(model.requests.every(isClean)).toBe(true)
  return { result, events, model, inputs }
}

const streamed = (...middle: readonly Readonly<Record<string, unknown>>[]): RawAnswer => ({
  events: [event.start(), ...middle, event.end('end_turn'), event.close],
})
const openText = event.block(0, { type: 'text', text: '' })
const openCall = event.block(0, { type: 'tool_use', id: 'toolu_1', name: 'note', input: {} })

describe('a character that comes in two deltas', () => {
  it('is shown and kept whole', async () => {
    const answer = streamed(openText, event.text(0, `a${first}`), event.text(0, `${second}b`), event.stop(0))
    const { result, events } = await drive([answer])
    expect(result.text).toBe(`a${whole}b`)
    expect(only(events, 'text.delta').every(({ text }) => text.isWellFormed())).toBe(true)
  })

  it('of which the second never comes leaves no half in history', async () => {
    const answer = streamed(openText, event.text(0, `a${first}`), event.stop(0))
    const { result, events } = await drive([answer])
    expect(result.text).toBe('a\ufffd')
    expect(screenOf(events).text()).toBe('a\ufffd')
  })

  it('of which another text follows the first half leaves no half in history', async () => {
    const answer = streamed(openText, event.text(0, `a${first}`), event.text(0, `b${second}c`), event.stop(0))
    expect((await drive([answer])).result.text).toBe('a\ufffdb\ufffdc')
  })

  it.each([true, false])(
    'and is cut between them is shown without the half, where text can be taken back: %s',
    async (canRetract) => {
      const model = manualModel()
      const agent = createAgent({ client: model.client, request, recovery: { backoff: 0, streamRetries: 0 } })
      let shown = ''
      const onText = (text: string): void => void (shown += text)
      const callbacks = canRetract ? {} : { onText }
      const run = agent.run({ messages: question, callbacks, mode: 'stream' })
      const one = await model.exchange(0)
      one.begin(`a${first}`)
      await settled()
      one.end()
      const two = await model.exchange(1)
      two.answer([{ type: 'text', text: canRetract ? `a${whole}` : whole }])
      const { outcome, text, messages } = await run.result
      expect({ outcome, text }).toEqual({ outcome: 'completed', text: `a${whole}` })
      expect(isClean(messages)).toBe(true)
      expect(model.exchanges.every(({ body }) => isClean(body))).toBe(true)
      expect(shown).toBe(canRetract ? '' : text)
    },
  )

  it('and is interrupted between them leaves the text before it', async () => {
    const model = manualModel()
    const run = createAgent({ client: model.client, request }).run({ messages: question, mode: 'stream' })
    const one = await model.exchange(0)
    one.begin(`a${first}`)
    await settled()
    run.interrupt()
    const events = await eventsOf(run)
    const { newMessages } = await run.result
    expect(newMessages).toEqual([{ role: 'assistant', content: [{ type: 'text', text: 'a' }] }])
    expect(screenOf(events).text()).toBe(historyText(newMessages))
  })
})

describe('half a character in what the model sends', () => {
  const citation = { type: 'char_location', cited_text: first }
  const found = { type: 'web_search_result', title: `x${first}` }

  it.each<[name: string, answer: RawAnswer]>([
    ['the JSON of a call', streamed(openCall, event.json(0, `{"a":"${String.raw`\ud83d`}"}`), event.stop(0))],
    ['the raw JSON of a call', streamed(openCall, event.json(0, `{"${first}":"${second}"}`), event.stop(0))],
    [
      'a citation',
      streamed(openText, event.text(0, 'x'), event.delta(0, { type: 'citations_delta', citation }), event.stop(0)),
    ],
    [
      'the result of a server tool',
      streamed(
        event.block(0, { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: second } }),
        event.stop(0),
        event.block(1, { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [found] }),
        event.stop(1),
        ...textBlock(2, 'x'),
      ),
    ],
    ['a block of one body', jsonAnswer([{ type: 'text', text: `x${first}` }], 'end_turn')],
  ])('enters no history: %s', async (_name, answer) => {
    const { result } = await drive([answer], 'message' in answer ? 'buffered' : 'stream')
    expect(JSON.stringify(result.newMessages)).toContain('\ufffd')
  })

  it('gives the same history streamed and in one body', async () => {
    const text = `a${first}b${second}`
    const inOne = await drive([jsonAnswer([{ type: 'text', text }], 'end_turn')], 'buffered')
    const inPieces = await drive([
      streamed(openText, ...text.split('').map((each) => event.text(0, each)), event.stop(0)),
    ])
    expect(inPieces.result.messages).toEqual(inOne.result.messages)
  })

  it('is given to a tool as history holds it', async () => {
    const json = String.raw`{"a":["\ud83d"]}`
    const { inputs, result } = await drive([
      { events: [event.start(), openCall, event.json(0, json), event.stop(0), event.end('tool_use'), event.close] },
    ])
    expect(inputs).toEqual([{ a: ['\ufffd'] }])
    expect(result.newMessages[0]?.content).toMatchObject([{ input: { a: ['\ufffd'] } }])
  })
})

describe('half a character in what a tool gives', () => {
  const asked: RawAnswer = {
    events: [event.start(), openCall, event.json(0, '{"a":1}'), event.stop(0), event.end('tool_use'), event.close],
  }
  it.each<[name: string, give: () => unknown]>([
    ['text', () => `x${first}`],
    ['JSON', () => ({ text: first })],
    ['a text block', () => [{ type: 'text', text: `x${first}` }]],
    ['a document', () => [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data: `x${first}` } }]],
    [
      'an error',
      () => {
        throw new ToolError(`x${first}`)
      },
    ],
    [
      'the text of an error',
      () => {
        throw new ToolError([{ type: 'text', text: `x${first}` }])
      },
    ],
  ])('is not sent: %s', async (_name, give) => {
    const { result, events } = await drive([asked], 'stream', give)
    expect(result.outcome).toBe('completed')
    expect(isClean(only(events, 'tool.finished'))).toBe(true)
  })
})

describe('half a character in what is asked', () => {
  const client = { messages: { create: () => Promise.resolve({}) } }
  const hello = { role: 'user', content: 'Hello' }
  const block = (given: object): object => ({ role: 'user', content: [given] })
  const used = (input: object): object => ({
    role: 'assistant',
    content: [{ type: 'tool_use', id: 'toolu_1', name: 'x', input }],
  })
  const answered = (content: unknown): object => block({ type: 'tool_result', tool_use_id: 'toolu_1', content })
  const cut = /must not hold half of a surrogate pair/

  it.each<[name: string, messages: readonly object[], path: string]>([
    ['a message', [{ role: 'user', content: first }], 'messages[0].content'],
    [
      'a text',
      [hello, { role: 'assistant', content: 'x' }, block({ type: 'text', text: `x${first}` })],
      'messages[2].content[0].text',
    ],
    [
      'the input of a call',
      [hello, used({ a: { b: [second] } }), answered('x')],
      'messages[1].content[0].input.a.b[0]',
    ],
    ['a name in an input', [hello, used({ [first]: 1 }), answered('x')], 'messages[1].content[0].input'],
    ['a result', [hello, used({}), answered(first)], 'messages[2].content[0].content'],
    [
      'a document',
      [block({ type: 'document', source: { type: 'text', media_type: 'text/plain', data: first } })],
      'messages[0].content[0].source.data',
    ],
  ])('is refused at once, with its path: %s', (_name, messages, path) => {
    const agent = createAgent({ client, request })
    expectError(
      errorOf(() => call(agent.run, { messages })),
      ['', undefined, 'invalid_messages', path, cut],
    )
  })

  it.each<[name: string, options: object, path: string]>([
    ['a system prompt', { request: { ...request, system: first } }, 'request.system'],
    ['a block of it', { request: { ...request, system: [{ type: 'text', text: first }] } }, 'request.system[0].text'],
    ['metadata', { request: { ...request, metadata: { user_id: first } } }, 'request.metadata.user_id'],
    ['the prompt of a continuation', { recovery: { continuePrompt: `Go on${first}` } }, 'recovery.continuePrompt'],
  ])('is refused by createAgent: %s', (_name, options, path) => {
    expectError(
      errorOf(() => call(createAgent, { client, request, ...options })),
      ['', undefined, 'invalid_option', path, cut],
    )
  })

  it('is refused in the description of a tool', () => {
    const tool = defineTool({
      name: 'x',
      description: first,
      inputSchema: { jsonSchema: { type: 'object' } },
      run: () => '',
    })
    expectError(
      errorOf(() => call(createAgent, { client, request, tools: [tool] })),
      ['', undefined, 'invalid_option', 'tools[0].definition.description', cut],
    )
  })

  it('is refused in the parameters of a run', () => {
    const agent = createAgent({ client, request })
    expectError(
      errorOf(() => call(agent.run, { messages: [hello], request: { system: first } })),
      ['', undefined, 'invalid_option', 'request.system', cut],
    )
  })

  it('is a whole character where both halves are there', async () => {
    const model = rawModel(() => textAnswer('Hi'))
    const agent = createAgent({ client: model.client, request })
    const { outcome } = await agent.run({ messages: [{ role: 'user', content: first + second }] }).result
    expect(outcome).toBe('completed')
  })
})
