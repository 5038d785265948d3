import { manualClock, type ManualClock } from '@millrace/testing/async'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { type AgentRun, createAgent, defineTool, type ModelClient, type RunInput } from '../../src/index.ts'
import { question, request } from '../support/scripted.ts'
import { countWork, type Work } from '../support/work-counter.ts'

const encoder = new TextEncoder()
const frame = (event: object): Uint8Array => encoder.encode(`event: x\ndata: ${JSON.stringify(event)}\n\n`)
const delta = (index: number, body: object): Uint8Array => frame({ type: 'content_block_delta', index, delta: body })

/** One answer of some kind, a delta a chunk, `count` deltas in all. */
type Answer = (count: number) => Generator<Uint8Array>

function* around(block: object, deltas: Iterable<object>, stopReason: string): Generator<Uint8Array> {
  yield frame({
    type: 'message_start',
    message: { id: 'msg_1', role: 'assistant', model: 'm', content: [], usage: {} },
  })
  yield frame({ type: 'content_block_start', index: 0, content_block: block })
  for (const each of deltas) yield delta(0, each)
  yield frame({ type: 'content_block_stop', index: 0 })
  yield frame({ type: 'message_delta', delta: { stop_reason: stopReason }, usage: {} })
  yield frame({ type: 'message_stop' })
}

function* times<T>(count: number, make: (index: number) => T): Generator<T> {
  for (let index = 0; index < count; index++) yield make(index)
}

const piece = 'twenty characters ok'
const answers: Readonly<Record<string, Answer>> = {
  text: (count) =>
    around(
      { type: 'text', text: '' },
      times(count, () => ({ type: 'text_delta', text: piece })),
      'end_turn',
    ),
  thinking: (count) =>
    around(
      { type: 'thinking', thinking: '', signature: '' },
      times(count, () => ({ type: 'thinking_delta', thinking: piece })),
      'end_turn',
    ),
  'tool input, one long string': (count) =>
    around(
      { type: 'tool_use', id: 'toolu_1', name: 'take', input: {} },
      times(count, (index) => ({
        type: 'input_json_delta',
        partial_json: index === 0 ? '{"a":"' : index === count - 1 ? '"}' : piece,
      })),
      'tool_use',
    ),
  'tool input, a list of objects': (count) =>
    around(
      { type: 'tool_use', id: 'toolu_1', name: 'take', input: {} },
      times(count, (index) => ({
        type: 'input_json_delta',
        partial_json: index === 0 ? '{"a":[' : index === count - 1 ? '0]}' : '{"name":"x","n":1},',
      })),
      'tool_use',
    ),
  citations: (count) =>
    around(
      { type: 'text', text: '', citations: [] },
      times(count, (index) => ({
        type: 'citations_delta',
        citation: { type: 'char_location', start_char_index: index },
      })),
      'end_turn',
    ),
  *blocks(count) {
    yield frame({ type: 'message_start', message: { id: 'msg_1', role: 'assistant', content: [], usage: {} } })
    for (const index of times(Math.floor(count / 3), (each) => each)) {
      yield frame({ type: 'content_block_start', index, content_block: { type: 'text', text: '' } })
      yield delta(index, { type: 'text_delta', text: piece })
      yield frame({ type: 'content_block_stop', index })
    }
    yield frame({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: {} })
  },
  *'one event in as many chunks'(count) {
    const bytes = frame({ type: 'ping', padding: piece.repeat(count) })
    for (const index of times(count, (each) => each)) {
      yield bytes.subarray(Math.floor((index * bytes.length) / count), Math.floor(((index + 1) * bytes.length) / count))
    }
    yield* around({ type: 'text', text: 'x' }, [], 'end_turn')
  },
}

/** An in-process model: the first request streams the answer, any other ends the run. */
function modelOf(chunks: Iterable<Uint8Array>): ModelClient {
  let asked = 0
  const create = (): PromiseLike<unknown> => {
    const iterator = asked++ === 0 ? chunks[Symbol.iterator]() : around({ type: 'text', text: 'x' }, [], 'end_turn')
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const { done, value } = iterator.next()
          if (done === true) controller.close()
          else controller.enqueue(value)
        },
      },
      { highWaterMark: 0 },
    )
    const response = new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    return Object.assign(Promise.resolve(undefined), { asResponse: () => Promise.resolve(response) })
  }
  return { messages: { create } }
}

const take = defineTool({
  name: 'take',
  description: '',
  inputSchema: { jsonSchema: { type: 'object' } },
  run: () => 'ok',
})

function start(chunks: Iterable<Uint8Array>, clock: ManualClock, input: Partial<RunInput> = {}): AgentRun {
  const agent = createAgent({ client: modelOf(chunks), request, tools: [take], runtime: { clock } })
  return agent.run({ messages: question, ...input })
}

interface Cost extends Work {
  readonly timers: number
  readonly events: number
}

/** What a run of `count` deltas costs, read by an iterator and by every callback. */
async function costOf(answer: Answer, count: number): Promise<Cost> {
  const chunks = [...answer(count)]
  const clock = manualClock()
  let events = 0
  const callbacks = { onText() {}, onThinking() {}, onRetract() {}, onToolUse() {}, onToolResult() {}, onEvent() {} }
  const work = await countWork(async () => {
    const run = start(chunks, clock, { callbacks })
    for await (const event of run) events += event.seq > 0 ? 1 : 0
    const { outcome } = await run.result
    expect(outcome).toBe('completed')
  })
  expect(clock.pending).toBe(0)
  return { ...work, timers: clock.timersSet, events }
}

/**
 * Whether `cost` grows with the deltas and no faster: what the third thousand adds is what the second added, give or
 * take a tenth (and a few steps of growing arrays).
 */
function expectLinear(name: string, [small, middle, large]: readonly [number, number, number]): void {
  const first = middle - small
  const second = large - middle
  expect(second, `${name}: ${small}, ${middle}, ${large}`).toBeLessThanOrEqual(first * 1.1 + 300)
}

describe.each(Object.entries(answers))('the steps of a run that streams %s', (_name, answer) => {
  it('grow with its deltas: promises, string and array work, JSON, events; timers do not grow at all', async () => {
    await costOf(answer, 200)
    const costs = [await costOf(answer, 1_000), await costOf(answer, 2_000), await costOf(answer, 3_000)] as const
    for (const measure of ['promises', 'characters', 'json', 'elements', 'events'] as const) {
      expectLinear(measure, [costs[0][measure], costs[1][measure], costs[2][measure]])
    }
    expect(costs[2].timers).toBe(costs[0].timers)
    // A linear cost per delta that is absurd would be linear too.
    expect(costs[2].promises).toBeLessThan(3_000 * 40)
  })
})

describe('memory', () => {
  // The collector is made callable here alone, since only this file asks for it.
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  const heap = (): number => {
    if (typeof collect !== 'function') throw new Error('no collector to call')
    Reflect.apply(collect, undefined, [])
    return getHeapStatistics().used_heap_size
  }

  it('of a run that is over is what its result holds, not what it has streamed', async () => {
    const count = 40_000
    const text = answers['text']
    if (text === undefined) throw new Error('no answer')
    const before = heap()
    // Read by nobody: no event may be kept beyond the replay of 10,000.
    const run = start(text(count), manualClock())
    const { text: said, outcome } = await run.result
    expect(outcome).toBe('completed')
    expect(said.length).toBe(count * piece.length)
    // The text is 0.8 MB; the 40,000 events that it came in would be more than ten times that.
    expect(heap() - before).toBeLessThan(4 * 1024 * 1024)
    expect(said.endsWith(piece)).toBe(true)
  })

  it('of a run that is read stays flat: what was read is let go', async () => {
    const text = answers['text']
    if (text === undefined) throw new Error('no answer')
    const samples: number[] = []
    let seen = 0
    for await (const event of start(text(40_000), manualClock())) {
      if (event.type === 'text.delta' && ++seen % 10_000 === 5_000) samples.push(heap())
    }
    const [first = 0] = samples
    expect(samples).toHaveLength(4)
    expect(Math.max(...samples) - first).toBeLessThan(4 * 1024 * 1024)
  })
})
