import { validateMessages } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import {
  adaptLoop,
  type AgentEvent,
  type AgentOptions,
  createAgent,
  defineTool,
  type ModelClient,
  type RunResult,
} from '../../src/index.ts'
import { eventsOf, only, question, request } from '../support/scripted.ts'
import { event, jsonAnswer, type RawAnswer, rawModel, textAnswer, textBlock } from '../support/raw-model.ts'
import { historyText, screenOf } from './screen.ts'

type Json = Readonly<Record<string, unknown>>

const roll = { type: 'tool_use', id: 'toolu_1', name: 'roll', input: { player: 'a' } }

/** The same answer, as a stream or in one body. */
type Answer = { readonly content: readonly Json[]; readonly stopReason: string; readonly output: number }

const answered = (content: readonly Json[], stopReason = 'end_turn', output = 9): Answer => ({
  content,
  stopReason,
  output,
})
const nothing = answered([], 'end_turn', 0)

function inMode({ content, stopReason, output }: Answer, streams: boolean): RawAnswer {
  if (!streams) return jsonAnswer(content, stopReason, output)
  const blocks = content.flatMap((block, index) => [event.block(index, block), event.stop(index)])
  return { events: [event.start(), ...blocks, event.end(stopReason, output), event.close] }
}

interface Driven {
  readonly result: RunResult
  readonly events: readonly AgentEvent[]
  /** Whether each request streamed. */
  readonly streams: readonly boolean[]
  /** The inputs of the calls that ran. */
  readonly ran: readonly unknown[]
}

/** A run whose requests are answered in turn; the last answer stands for all further ones. */
async function drive(answers: readonly Answer[], mode: 'stream' | 'buffered'): Promise<Driven> {
  const model = rawModel(({ stream }, count) =>
    inMode(answers[Math.min(count, answers.length) - 1] ?? nothing, stream === true),
  )
  const { agent, ran } = agentOn(model.client)
  const run = agent.run({ messages: question, mode })
  const events = await eventsOf(run)
  const result = await run.result
  expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }])).toBeUndefined()
  expect(screenOf(events).problems).toEqual([])
  return { result, events, streams: model.requests.map(({ stream }) => stream === true), ran }
}

function agentOn(client: ModelClient, options: Partial<AgentOptions> = {}) {
  const ran: unknown[] = []
  const inputSchema = { jsonSchema: { type: 'object' } }
  const tools = [defineTool({ name: 'roll', description: '', inputSchema, run: (input) => void ran.push(input) })]
  return { ran, agent: createAgent({ client, request, tools, recovery: { backoff: 0 }, ...options }) }
}

describe.each(['stream', 'buffered'] as const)('an answer of no block and no token, in mode %s', (mode) => {
  it('is asked for once more, without streaming', async () => {
    const { result, events, streams } = await drive([nothing, answered([{ type: 'text', text: 'Hello' }])], mode)
    expect(result).toMatchObject({ outcome: 'completed', text: 'Hello' })
    expect(only(events, 'fallback')).toMatchObject([{ from: mode, to: 'buffered', reason: 'empty_answer' }])
    expect(streams).toEqual([mode === 'stream', false])
  })

  it.each<[name: string, answer: Answer]>([
    ['nothing', nothing],
    ['a blank text', answered([{ type: 'text', text: ' ' }], 'end_turn', 0)],
  ])('is a typed error where the second one is %s as well', async (_name, second) => {
    const { result, streams } = await drive([nothing, second], mode)
    expect(result).toMatchObject({
      outcome: 'failed',
      error: { code: 'empty_answer', message: 'The model API sent an empty answer', retryable: true },
      messages: question,
    })
    expect(streams).toHaveLength(2)
  })

  it('is one behind a tool result as well', async () => {
    const { result, streams, ran } = await drive([answered([roll], 'tool_use'), nothing], mode)
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'empty_answer' } })
    expect(result.newMessages.map(({ role }) => role)).toEqual(['assistant', 'user'])
    expect(streams).toHaveLength(3)
    expect(ran).toHaveLength(1)
  })

  it.each<[name: string, answer: Answer, outcome: string]>([
    ['a token', answered([], 'end_turn', 2), 'completed'],
    ['a stop reason of its own', answered([], 'max_tokens', 0), 'limit'],
    ['a refusal', answered([], 'refusal', 0), 'refused'],
    ['a block', answered([{ type: 'text', text: 'Hello' }], 'end_turn', 0), 'completed'],
  ])('is legal with %s', async (_name, answer, outcome) => {
    const { result, streams } = await drive([answer], mode)
    expect(result.outcome).toBe(outcome)
    expect(streams).toHaveLength(1)
  })

  it('is legal behind a tool result, where the model has spent a token on it', async () => {
    const { result, streams } = await drive([answered([roll], 'tool_use'), answered([], 'end_turn', 2)], mode)
    expect(result.outcome).toBe('completed')
    expect(result.messages.at(-1)).toMatchObject({ role: 'user', content: [{ type: 'tool_result' }] })
    expect(streams).toHaveLength(2)
  })
})

it('an answer of nothing is handed to the legacy loop', async () => {
  const model = rawModel(({ stream }) => inMode(nothing, stream === true))
  const loop = adaptLoop({
    legacy: (_question: string) => Promise.resolve('From the legacy loop'),
    agent: agentOn(model.client).agent,
    toInput: () => ({ messages: question }),
    fromResult: ({ text }) => text,
    useStreaming: () => true,
  })
  expect(await loop('What is new?')).toBe('From the legacy loop')
})

describe('thinking without its signature', () => {
  const thought = { type: 'thinking', thinking: 'Hm.', signature: '' }
  const answers = [
    answered([thought, { type: 'text', text: 'I roll.' }, roll], 'tool_use'),
    answered([thought, { type: 'text', text: 'A six.' }]),
  ]

  it.each(['stream', 'buffered'] as const)('is shown and enters no history, in mode %s', async (mode) => {
    const { result, events, ran } = await drive(answers, mode)
    expect(result).toMatchObject({ outcome: 'completed', text: 'A six.' })
    expect(ran).toEqual([{ player: 'a' }])
    expect(only(events, 'fallback')).toEqual([])
    expect(only(events, 'turn.retracted')).toEqual([])
    expect(only(events, 'thinking.delta').map(({ text }) => text)).toEqual(['Hm.', 'Hm.'])
    expect(JSON.stringify(result.messages)).not.toContain('thinking')
    expect(only(events, 'turn.finished').map(({ content }) => content)).toEqual([
      [{ type: 'text', text: 'I roll.' }, roll],
      [{ type: 'text', text: 'A six.' }],
    ])
    expect(screenOf(events).text()).toBe(historyText(result.newMessages))
  })

  it('stays out where only its signature_delta was lost', async () => {
    const signed = { ...thought, signature: 'c2lnbmVk' }
    const events = [
      event.start(),
      event.block(0, { ...thought, thinking: '' }),
      event.delta(0, { type: 'thinking_delta', thinking: 'Hm.' }),
      event.stop(0),
      event.block(1, { ...thought, thinking: '' }),
      event.delta(1, { type: 'thinking_delta', thinking: 'Hm.' }),
      event.delta(1, { type: 'signature_delta', signature: 'c2lnbmVk' }),
      event.stop(1),
      ...textBlock(2, 'A six.'),
      event.end('end_turn'),
      event.close,
    ]
    const { agent } = agentOn(rawModel(() => ({ events })).client)
    const { newMessages } = await agent.run({ messages: question }).result
    expect(newMessages).toEqual([{ role: 'assistant', content: [signed, { type: 'text', text: 'A six.' }] }])
  })
})

describe.each(['stream', 'buffered'] as const)(
  'an answer that calls a tool and says that it is done, in mode %s',
  (mode) => {
    it.each(['end_turn', 'stop_sequence', 'max_tokens'])(
      'has the text before its call as text, with %s',
      async (reason) => {
        const { result, ran } = await drive([answered([{ type: 'text', text: 'I roll.' }, roll], reason)], mode)
        expect(result.text).toBe('I roll.')
        expect(ran).toEqual([])
        expect(result.messages.at(-1)).toMatchObject({
          role: 'user',
          content: [
            {
              type: 'tool_result',
              tool_use_id: 'toolu_1',
              is_error: true,
              content: expect.stringMatching(/^The call was not run: /),
            },
          ],
        })
      },
    )

    it('has the text of the turn before, where it has none', async () => {
      const first = answered([{ type: 'text', text: 'I roll.' }, roll], 'tool_use')
      const { result } = await drive([first, answered([{ ...roll, id: 'toolu_2' }])], mode)
      expect(result).toMatchObject({ outcome: 'completed', text: 'I roll.' })
    })

    it('has no text where none was said', async () => {
      const { result } = await drive([answered([roll])], mode)
      expect(result).toMatchObject({ outcome: 'completed', text: '' })
    })
  },
)

it('a stream that ends a call with end_turn has the history of one body', async () => {
  const answer = answered([{ type: 'text', text: 'I roll.' }, roll])
  const [streamed, buffered] = [await drive([answer], 'stream'), await drive([answer], 'buffered')]
  expect(streamed.result.messages).toEqual(buffered.result.messages)
  expect(streamed.result.text).toBe(buffered.result.text)
})

it('text that follows the last tool result alone is the text of the answer', async () => {
  const first = answered([{ type: 'text', text: 'I roll.' }, roll], 'tool_use')
  const model = rawModel((_request, count) => (count === 1 ? inMode(first, true) : textAnswer('A six.')))
  const { text } = await agentOn(model.client).agent.run({ messages: question }).result
  expect(text).toBe('A six.')
})

it('a turn that nothing answered has neither content nor the mark of a salvaged answer', async () => {
  const { events } = await drive([nothing, nothing], 'stream')
  const [turn] = only(events, 'turn.finished')
  expect(turn).toMatchObject({ content: [], stopReason: null })
  expect(turn).not.toHaveProperty('salvaged')
})
