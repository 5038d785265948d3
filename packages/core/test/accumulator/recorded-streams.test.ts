import Anthropic from '@anthropic-ai/sdk'
import * as fc from 'fast-check'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createAccumulator } from '../../src/model/accumulator.ts'
import { type AssistantMessage, createAgent, type Message, type ModelClient } from '../../src/index.ts'
import { isRecord } from '../../src/kit/guards.ts'
import { createSseParser } from '../../src/model/sse-parser.ts'
import { screenOf } from '../recovery/screen.ts'
import { eventsOf, question, request } from '../support/scripted.ts'

type Json = Readonly<Record<string, unknown>>

/** Where streams of the real API are kept, one event a line; they are not part of this repository. */
const folder = process.env['MILLRACE_RECORDED_STREAMS']
const encoder = new TextEncoder()

interface Recording {
  readonly name: string
  readonly events: readonly Json[]
}

/** A file holds one answer, or several, each from its own `message_start` on. */
function readRecordings(from: string): Recording[] {
  return readdirSync(from)
    .filter((file) => file.endsWith('.chunks.txt'))
    .flatMap((file) => {
      const events = readFileSync(join(from, file), 'utf8')
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map((line): Json => JSON.parse(line))
      const answers: Json[][] = []
      let id: unknown
      for (const event of events) {
        const next = isRecord(event['message']) ? event['message']['id'] : id
        if (next !== id || answers.length === 0) answers.push([])
        id = next
        answers.at(-1)?.push(event)
      }
      return answers.map((answer, index) => ({ name: `${file} answer ${index + 1}`, events: answer }))
    })
}

function toBytes(events: readonly Json[]): Uint8Array {
  return encoder.encode(
    events.map((event) => `event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`).join(''),
  )
}

function accumulate(pieces: Iterable<Uint8Array>): AssistantMessage | undefined {
  const parser = createSseParser()
  const accumulator = createAccumulator()
  for (const piece of pieces) {
    for (const data of parser.push(piece)) accumulator.add(JSON.parse(data))
  }
  expect(accumulator.whole).toBe(true)
  return accumulator.message()
}

const record = (value: unknown): Json => (isRecord(value) ? value : {})
const ofType = (events: readonly Json[], type: string): Json[] => events.filter((event) => event['type'] === type)

/** What a block's events say it holds, read off field by field: no accumulator, one pass for each field. */
function expectedBlock(events: readonly Json[], index: unknown): Json {
  const mine = events.filter((event) => event['index'] === index)
  const start = record(ofType(mine, 'content_block_start')[0]?.['content_block'])
  const deltas = ofType(mine, 'content_block_delta').map((event) => record(event['delta']))
  const joined = (type: string, field: string): string =>
    ofType(deltas, type)
      .map((delta) => delta[field])
      .join('')
  const json = joined('input_json_delta', 'partial_json')
  const signature = ofType(deltas, 'signature_delta').at(-1)?.['signature']
  const citations = ofType(deltas, 'citations_delta').map((delta) => delta['citation'])
  const { type: _, ...compaction } = ofType(deltas, 'compaction_delta').at(-1) ?? {}
  return {
    ...start,
    ...(start['type'] === 'text' && { text: joined('text_delta', 'text') }),
    ...(start['type'] === 'thinking' && { thinking: joined('thinking_delta', 'thinking') }),
    ...(json !== '' && { input: JSON.parse(json) }),
    ...(signature !== undefined && { signature }),
    ...(citations.length > 0 && { citations }),
    ...compaction,
  }
}

/** The message that a recording's events spell out. */
function expectedMessage(events: readonly Json[]): Json {
  const start = record(ofType(events, 'message_start')[0]?.['message'])
  const end = ofType(events, 'message_delta').at(-1) ?? {}
  const noNulls = (fields: unknown): Json =>
    Object.fromEntries(Object.entries(record(fields)).filter(([, value]) => value !== null))
  return {
    ...start,
    stop_sequence: null,
    ...noNulls(end['delta']),
    usage: { ...record(start['usage']), ...noNulls(end['usage']) },
    content: ofType(events, 'content_block_start').map((event) => expectedBlock(events, event['index'])),
  }
}

function* slices(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let start = 0, turn = 0; start < bytes.length; turn++) {
    const end = start + (sizes[turn % sizes.length] ?? 1)
    yield bytes.subarray(start, end)
    start = end
  }
}

/** What history holds of a message: no blank text, no thinking at the end. */
function echoed(content: unknown): unknown[] {
  const blocks = Array.isArray(content) ? content.map(record) : []
  const said = blocks.filter(({ type, text }) => type !== 'text' || String(text).trim() !== '')
  return said.slice(0, said.findLastIndex(({ type }) => type !== 'thinking') + 1)
}

/** The real SDK, which is answered with these bytes. */
function clientFor(pieces: Iterable<Uint8Array>): Anthropic {
  const iterator = pieces[Symbol.iterator]()
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { done, value } = iterator.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    },
  })
  const response = new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  return new Anthropic({ apiKey: 'sk-test', fetch: () => Promise.resolve(response) })
}

interface Answered {
  /** The assistant message of a run's first turn. */
  readonly message: Message | undefined
  readonly text: string
  /** The text that is shown. */
  readonly shown: string
}

async function firstAnswer(client: ModelClient, mode: 'stream' | 'buffered'): Promise<Answered> {
  const agent = createAgent({ client, request, limits: { turns: 1 } })
  const run = agent.run({ messages: question, mode })
  const shown = screenOf(await eventsOf(run)).text()
  const { newMessages, text } = await run.result
  return { message: newMessages[0], text, shown }
}

/** The text of a message, as a caller of the SDK without streaming puts it together. */
function textOf(content: unknown): string {
  const blocks = Array.isArray(content) ? content.map(record) : []
  return blocks.map(({ text = '' }) => String(text)).join('')
}

const recordings = folder === undefined ? [] : readRecordings(folder)
const needed = folder === undefined ? ' (skipped: MILLRACE_RECORDED_STREAMS is not set)' : ''

describe.skipIf(folder === undefined)(`a recorded stream is accumulated to what its events hold${needed}`, () => {
  it('there are recordings', () => {
    expect(recordings.length).toBeGreaterThanOrEqual(12)
  })

  describe.each(recordings)('$name', ({ events }) => {
    const bytes = toBytes(events)
    const expected = expectedMessage(events)

    it('fed whole', () => {
      expect(accumulate([bytes])).toEqual(expected)
    })

    it('fed byte by byte', () => {
      expect(accumulate(slices(bytes, [1]))).toEqual(expected)
    })

    it('fed in random chunks', () => {
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 12 }), (sizes) => {
          expect(accumulate(slices(bytes, sizes))).toEqual(expected)
        }),
        { numRuns: 25 },
      )
    })

    it('by an agent, through the SDK', async () => {
      for (const sizes of [[bytes.length], [1_000], [7, 64, 3]]) {
        const { message, text, shown } = await firstAnswer(clientFor(slices(bytes, sizes)), 'stream')
        expect(message).toEqual({ role: 'assistant', content: echoed(expected['content']) })
        expect(text).toBe(textOf(expected['content']))
        expect(shown).toBe(text)
      }
    })

    it('by an agent, without streaming, to the same text', async () => {
      const client = { messages: { create: () => Promise.resolve(expected) } }
      const { message, text, shown } = await firstAnswer(client, 'buffered')
      expect(message).toEqual({ role: 'assistant', content: echoed(expected['content']) })
      expect(text).toBe(textOf(expected['content']))
      expect(shown).toBe(text)
    })
  })
})
