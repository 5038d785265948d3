import { manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { createAgent, defineTool, type Message, type RunResult } from '../../src/index.ts'
import { eventsOf, only, question, request } from '../support/scripted.ts'
import { type Exchange, manualModel } from './manual-model.ts'
import { historyText, screenOf } from './screen.ts'

type StreamEvent = Parameters<Exchange['send']>[0]

const message = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm',
  content: [],
  stop_reason: null,
  usage: {},
}

const start = (index: number, block: object): StreamEvent => ({
  type: 'content_block_start',
  index,
  content_block: block,
})
const delta = (index: number, fields: object): StreamEvent => ({ type: 'content_block_delta', index, delta: fields })
const json = (index: number, partial: string): StreamEvent =>
  delta(index, { type: 'input_json_delta', partial_json: partial })
const stop = (index: number): StreamEvent => ({ type: 'content_block_stop', index })

const textBlock = (index: number, text: string): StreamEvent[] => [
  start(index, { type: 'text', text: '' }),
  delta(index, { type: 'text_delta', text }),
  stop(index),
]
const call = (input: object = {}): object => ({ type: 'tool_use', id: 'toolu_1', name: 'look', input })

/** A call in an order of events that the API does not use, though the answer is whole. */
const oddCalls: Readonly<Record<string, readonly StreamEvent[]>> = {
  'no input and no stop': [start(1, call())],
  'an input and no stop': [start(1, call()), json(1, '{"n":1}')],
  'its input in the start event and no stop': [start(1, call({ n: 1 }))],
  'its input in the start event and in deltas': [start(1, call({ n: 1 })), json(1, '{"n":'), json(1, '1}'), stop(1)],
  'its input in the start event and in deltas, and no stop': [start(1, call({ n: 1 })), json(1, '{"n":1}')],
  'another input in the start event than in deltas': [start(1, call({ old: true })), json(1, '{"n":1}'), stop(1)],
  'its input after the text that follows it': [start(1, call()), ...textBlock(2, ' two '), json(1, '{"n":1}'), stop(1)],
}

const oddAnswer = (odd: readonly StreamEvent[], stopReason: string): StreamEvent[] => [
  { type: 'message_start', message },
  ...textBlock(0, 'one'),
  ...odd,
  ...textBlock(odd.some(({ index }) => index === 2) ? 3 : 2, ' three.'),
  { type: 'message_delta', delta: { stop_reason: stopReason }, usage: {} },
  { type: 'message_stop' },
]

const consumers = {
  'events alone': {},
  'callbacks that retract': { callbacks: { onText() {}, onRetract() {} } },
  'callbacks that cannot retract': { callbacks: { onText() {} } },
  'retraction "continue"': { retraction: 'continue' },
  'retraction "fail"': { retraction: 'fail' },
  'retraction "hold"': { retraction: 'hold' },
} as const

const cases = Object.keys(oddCalls).flatMap((odd) => Object.keys(consumers).map((consumer) => [odd, consumer] as const))

function isConsumer(name: string): name is keyof typeof consumers {
  return Object.hasOwn(consumers, name)
}

async function answer(odd: string, consumer: string, stopReason: string): Promise<{ result: RunResult; text: string }> {
  if (!isConsumer(consumer)) throw new TypeError('unreachable')
  const model = manualModel()
  const look = defineTool({
    name: 'look',
    description: '',
    inputSchema: { jsonSchema: { type: 'object' } },
    run: () => 'seen',
  })
  const agent = createAgent({ client: model.client, request, tools: [look], runtime: { clock: manualClock() } })
  const run = agent.run({ messages: question, mode: 'stream', ...consumers[consumer] })
  const collected = eventsOf(run)
  const first = await model.exchange(0)
  for (const event of oddAnswer(oddCalls[odd] ?? [], stopReason)) first.send(event)
  first.end()
  // A run that fails asks for no second answer.
  void model.exchange(1).then((second) => {
    second.begin('Done.')
    second.finish()
  })
  const result = await run.result
  const events = await collected
  const screen = screenOf(events)
  expect(screen.problems).toEqual([])
  expect(only(events, 'turn.retracted')).toEqual([])
  expect(model.exchanges).toHaveLength(stopReason === 'tool_use' ? 2 : 1)
  return { result, text: screen.text(1) }
}

const firstMessage = ({ newMessages }: RunResult): readonly Message[] => newMessages.slice(0, 1)

describe('a whole answer with text after a call that has', () => {
  it.each(cases)('%s keeps its text, shown to %s', async (odd, consumer) => {
    const { result, text } = await answer(odd, consumer, 'tool_use')
    expect(result).toMatchObject({ outcome: 'completed', text: 'Done.' })
    expect(text).toBe(odd.includes('after the text') ? 'one two  three.' : 'one three.')
    expect(historyText(firstMessage(result))).toBe(text)
  })

  it.each(cases)('%s keeps its text, shown to %s, if the call is not run', async (odd, consumer) => {
    const { result, text } = await answer(odd, consumer, 'end_turn')
    expect(result.outcome).toBe('completed')
    expect(historyText(firstMessage(result))).toBe(text)
  })
})
