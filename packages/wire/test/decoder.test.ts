import { describe, expect, it } from 'vitest'
import {
  type DecoderOptions,
  type EventDecoder,
  eventFields,
  isAgentEvent,
  ndjsonDecoder,
  sseDecoder,
} from '../src/index.ts'
import { bytesOf } from './expected.ts'

const samples: Record<string, unknown> = {
  text: 'a',
  nullableText: null,
  number: 1.5,
  count: 0,
  flag: false,
  yes: true,
  json: null,
  usage: { input_tokens: 1, output_tokens: 1 },
  decision: { mode: 'stream', arm: 'streaming', reason: 'flag', tools: {} },
  error: { code: 'overloaded', message: 'm', retryable: true },
  blocks: [{ type: 'text', text: 'a' }],
  toolResult: [{ type: 'text', text: 'a' }],
}

function sample(type: string, fields: object): Record<string, unknown> {
  const values = Object.entries(fields).map(([name, field]: [string, string]) => {
    const kind = field.replace('?', '')
    return [name, kind in samples ? samples[kind] : 'word']
  })
  return { ...Object.fromEntries(values), type, runId: 'run', at: 1 }
}

const writers: {
  name: string
  decoder: (options?: DecoderOptions) => EventDecoder
  frame: (seq: number, value: object) => string
}[] = [
  { name: 'SSE', decoder: sseDecoder, frame: (seq, value) => `id: ${seq}\ndata: ${JSON.stringify(value)}\n\n` },
  { name: 'NDJSON', decoder: ndjsonDecoder, frame: (seq, value) => `${JSON.stringify({ seq, ...value })}\n` },
]

const fields = Object.entries(eventFields)
const required = fields.flatMap(([type, list]) =>
  Object.entries(list)
    .filter(([, field]: [string, string]) => !field.endsWith('?'))
    .map(([name]) => ({ type, name, list })),
)
// Left out on the wire on purpose, so that their absence is no error.
const leftOut = new Set(['turn.finished.content'])

describe.each(writers)('$name', ({ decoder, frame }) => {
  it.each(fields)('reads %s, and words that it does not know in it', (type, list) => {
    const value = sample(type, list)
    expect(decoder().push(bytesOf(frame(3, value)))).toEqual([{ ...value, seq: 3 }])
    expect(isAgentEvent({ ...value, seq: 3 })).toBe(true)
  })

  it.each(required.filter(({ type, name }) => !leftOut.has(`${type}.${name}`)))(
    'refuses $type without $name',
    ({ type, name, list }) => {
      const { [name]: _left, ...without } = sample(type, list)
      expect(() => decoder().push(bytesOf(frame(1, without)))).toThrow(`${type} without a valid ${name}`)
    },
  )

  it.each(required.filter(({ name }) => name !== 'input'))(
    'refuses $type with something else as $name',
    ({ type, name, list }) => {
      const wrong = { ...sample(type, list), [name]: { wrong: true } }
      expect(() => decoder().push(bytesOf(frame(1, wrong)))).toThrow(`${type} without a valid ${name}`)
    },
  )

  it.each([
    ['an event without a type', (): string => frame(1, { runId: 'r', at: 1 })],
    ['a list', (): string => frame(1, [1]).replace('"0":1', '')],
    ['a first event without a run id', (): string => frame(1, { type: 'fallback', at: 1 })],
    ['seq 0', (): string => frame(0, sample('text.delta', eventFields['text.delta']))],
  ])('refuses %s', (_name, text) => {
    expect(() => decoder().push(bytesOf(text()))).toThrow(expect.objectContaining({ code: 'garbage', retryable: true }))
  })

  it('refuses what is not UTF-8', () => {
    expect(() => decoder().push(new Uint8Array([0x69, 0x64, 0xff, 0xfe]))).toThrow(
      expect.objectContaining({ code: 'garbage' }),
    )
  })

  it('passes events of types that it does not know, and goes on', () => {
    const later = { type: 'weather.changed', to: 'rain', runId: 'run', at: 5 }
    const text = frame(1, later) + frame(2, { type: 'text.delta', turn: 1, attempt: 1, block: 0, text: 'a' })
    expect(decoder().push(bytesOf(text))).toMatchObject([
      { type: 'unknown', seq: 1, name: 'weather.changed', fields: { to: 'rain' } },
      { type: 'text.delta', seq: 2, runId: 'run', at: 5, text: 'a' },
    ])
  })

  it('takes prototype keys for what they are: keys', () => {
    const text = frame(1, sample('tool.started', eventFields['tool.started'])).replace(
      '"input":null',
      '"input":{"__proto__":{"polluted":1}},"__proto__":{"polluted":1}',
    )
    const [decoded] = decoder().push(bytesOf(text))
    expect(decoded?.type).toBe('tool.started')
    expect('polluted' in {}).toBe(false)
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype)
  })

  it('refuses inherited fields', () => {
    const value: unknown = Object.create({ ...sample('text.delta', eventFields['text.delta']), seq: 1 })
    expect(isAgentEvent(value)).toBe(false)
  })

  it('bounds what it holds of an event that is not whole, in one chunk or many', () => {
    const value = sample('text.delta', eventFields['text.delta'])
    const size = JSON.stringify({ seq: 1, ...value }).length
    expect(decoder({ maxEventChars: size }).push(bytesOf(frame(1, value)))).toHaveLength(1)
    const overflow = expect.objectContaining({ code: 'buffer_overflow', path: 'maxEventChars' })
    expect(() => decoder({ maxEventChars: 50 }).push(bytesOf(frame(1, value)))).toThrow(overflow)
    expect(() => decoder({ maxEventChars: 50 }).push(bytesOf(frame(1, value).slice(0, 60)))).toThrow(overflow)
    const slow = decoder({ maxEventChars: 50 })
    expect(() => {
      for (let index = 0; index < 60; index++) slow.push(bytesOf('x'))
    }).toThrow(overflow)
    const empty = decoder({ maxEventChars: 50 })
    for (let index = 0; index < 60; index++) empty.push(bytesOf('\n'))
  })

  it('is linear in the bytes of one long event', () => {
    const text = 'x'.repeat(200_000)
    const value = { ...sample('text.delta', eventFields['text.delta']), text }
    const reader = decoder()
    const bytes = bytesOf(frame(1, value))
    const events = []
    for (let from = 0; from < bytes.length; from += 16) events.push(...reader.push(bytes.subarray(from, from + 16)))
    expect(events).toMatchObject([{ text }])
  })
})

describe('SSE', () => {
  it.each(['data: {}\n\n', 'id: x\ndata: {}\n\n', 'id: 1\ndata: nonsense\n\n', 'id: -1\ndata: {}\n\n'])(
    'refuses %j',
    (text) => {
      expect(() => sseDecoder().push(bytesOf(text))).toThrow(expect.objectContaining({ code: 'garbage' }))
    },
  )
})

describe('NDJSON', () => {
  it.each(['nonsense\n', '{}\n', '[1]\n', '{"seq":"1"}\n', 'null\n'])('refuses %j', (text) => {
    expect(() => ndjsonDecoder().push(bytesOf(text))).toThrow(expect.objectContaining({ code: 'garbage' }))
  })
})
