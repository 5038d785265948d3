import { describe, expect, it } from 'vitest'
import { type AgentEvent, createAgent, type RunResult } from '../../src/index.ts'
import { eventsOf, only, question, request } from '../support/scripted.ts'
import { event, frame, type RawAnswer, rawModel, textAnswer, textBlock } from '../support/raw-model.ts'
import { historyText, screenOf } from './screen.ts'

/** A run whose first request is answered so, and every other with "Again.". */
async function drive(first: RawAnswer): Promise<{ events: readonly AgentEvent[]; result: RunResult }> {
  const model = rawModel((_request, count) => (count === 1 ? first : textAnswer('Again.')))
  const agent = createAgent({ client: model.client, request, recovery: { backoff: 0 } })
  const run = agent.run({ messages: question, mode: 'stream' })
  const events = await eventsOf(run)
  expect(screenOf(events).problems).toEqual([])
  const result = await run.result
  expect(screenOf(events).text()).toBe(historyText(result.newMessages))
  return { events, result }
}

const whole = [event.start(), ...textBlock(0, 'Hello'), event.end('end_turn'), event.close]
const frames = whole.map(frame)

describe('a gateway that adds to the stream', () => {
  it.each<[name: string, body: string]>([
    ['a field to each event', frames.map((each) => `x-trace: 1\n${each}`).join('')],
    ['a field behind the data', frames.map((each) => each.replace(/\n\n$/, '\nx-trace\n\n')).join('')],
    ['a byte order mark', `\uFEFF${frames.join('')}`],
    ['comments', `: OPENROUTER PROCESSING\n\n${frames.join(':\n\n')}`],
    ['pings of its own', `event: ping\ndata: 0\n\n${frames.join('event: ping\ndata: {}\n\n')}`],
    ['ids and retries', frames.map((each, index) => `id: ${index}\nretry: 1\n${each}`).join('')],
  ])('%s, is read like any other', async (_name, body) => {
    const { events, result } = await drive({ body })
    expect(only(events, 'fallback')).toEqual([])
    expect(result).toMatchObject({ outcome: 'completed', text: 'Hello' })
  })
})

describe('an answer that only calls itself an event stream', () => {
  it.each<[name: string, body: string, reason: string]>([
    ['a page of HTML', '<!doctype html>\n<html><body>502: Bad Gateway</body></html>\n', 'truncated'],
    ['an error in JSON', '{"type":"error","error":{"type":"api_error","message":"x"}}\n\n', 'truncated'],
    ['nothing', '', 'truncated'],
    ['data that is no JSON', 'data: <html>\n\n', 'garbage'],
    ['data that is no event', 'data: [1]\n\n', 'garbage'],
  ])('%s, is asked again', async (_name, body, reason) => {
    const { events, result } = await drive({ body })
    expect(only(events, 'fallback')).toMatchObject([{ from: 'stream', to: 'stream', reason }])
    expect(result).toMatchObject({ outcome: 'completed', text: 'Again.' })
  })
})

describe('a message that is sent again from its start', () => {
  const half = [event.start(), event.block(0, { type: 'text', text: '' }), event.text(0, 'Hel')]

  it.each<[name: string, events: Extract<RawAnswer, { events: unknown }>['events']]>([
    ['inside a text block', [...half, ...whole]],
    ['behind a block', [...whole.slice(0, 4), ...whole]],
    ['without its message_start', [...half, ...whole.slice(1)]],
    ['with another id', [...half, event.start({ id: 'msg_2' }), ...whole.slice(1)]],
  ])('%s, is a protocol error, and its text is not doubled', async (_name, sent) => {
    const { events, result } = await drive({ events: sent })
    expect(only(events, 'fallback')).toMatchObject([{ reason: 'protocol_error' }])
    expect(result).toMatchObject({ outcome: 'completed', text: 'Again.' })
  })

  it.each<[name: string, events: Extract<RawAnswer, { events: unknown }>['events']]>([
    ['a start before the first block', [event.start(), event.start(), ...whole.slice(1)]],
    ['a start of a block before its first delta', [...whole.slice(0, 2), ...whole.slice(1)]],
    ['a start and a stop of a block that has ended', [...whole.slice(0, 4), ...whole.slice(1, 2), ...whole.slice(3)]],
  ])('does no harm as %s', async (_name, sent) => {
    const { events, result } = await drive({ events: sent })
    expect(only(events, 'fallback')).toEqual([])
    expect(result).toMatchObject({ outcome: 'completed', text: 'Hello' })
  })
})
