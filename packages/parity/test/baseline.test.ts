import { describe, expect, it } from 'vitest'
import { baseline, type Cassette, formatBaseline, readCassette } from '../src/index.ts'
import { distribution } from '../src/baseline/statistics.ts'

const request = (messages: readonly unknown[], kept = 0): unknown => ({
  kept,
  body: { model: 'claude-x', max_tokens: 10, messages },
})
const question = { role: 'user', content: 'Hello' }
const call = { type: 'tool_use', id: 'toolu_1', name: 'charge', input: {} }
const answer = (stopReason: string, content: readonly unknown[], output: number): unknown => ({
  kind: 'message',
  message: {
    model: 'claude-x-1',
    content,
    stop_reason: stopReason,
    usage: { input_tokens: 100, output_tokens: output, cache_read_input_tokens: null },
  },
})

function cassette(id: string, exchanges: readonly unknown[]): Cassette {
  return readCassette({ format: 'millrace-cassette', version: 1, id, redacted: [], exchanges })
}

const overloaded = { kind: 'error', status: 529, type: 'overloaded_error' }

/** A run that took one retry and two turns, 1,000 ms in all, and whose tool failed or not. */
function toolRun(id: string, isError: boolean): Cassette {
  const results = {
    role: 'user',
    content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'x', is_error: isError }],
  }
  return cassette(id, [
    { startedAt: 1_000, durationMs: 50, request: request([question]), answer: overloaded },
    {
      startedAt: 1_100,
      firstByteMs: 20,
      durationMs: 200,
      request: request([], 1),
      answer: answer('tool_use', [call], 10),
    },
    {
      startedAt: 1_700,
      firstByteMs: 40,
      durationMs: 300,
      request: request([{ role: 'assistant', content: [call] }, results], 1),
      answer: answer('end_turn', [{ type: 'text', text: 'Done.' }], 30),
    },
  ])
}

const failed = cassette('c', [
  { startedAt: 5_000, durationMs: 10, request: request([question]), answer: overloaded },
  { startedAt: 5_100, durationMs: 10, request: request([], 1), answer: { kind: 'error', status: 503 } },
])
const left = cassette('d', [
  { startedAt: 6_000, durationMs: 10, request: request([question]), answer: { kind: 'broken', reason: 'client_left' } },
])

describe('the baseline', () => {
  const figures = baseline([toolRun('a', false), toolRun('b', true), failed, left])

  it('counts runs, requests and errors', () => {
    expect(figures).toMatchObject({
      format: 'millrace-baseline',
      version: 1,
      from: 1_000,
      to: 6_010,
      runs: { total: 4, succeeded: 2, failed: 1, unfinished: 1, rate: 2 / 3 },
      turns: { total: 4, perRun: { n: 2, mean: 2 } },
      requests: { total: 9, failed: 5, errors: { client_left: 1, overloaded_error: 3, status_503: 1 } },
      stopReasons: { end_turn: 2, tool_use: 2 },
      models: { 'claude-x-1': 4 },
    })
  })

  it('measures a turn from its first attempt, and a run to its last answer', () => {
    expect(figures.latency.turn).toEqual({ n: 4, mean: 300, p50: 300, p95: 300, p99: 300, max: 300 })
    expect(figures.latency.run).toEqual({ n: 2, mean: 1_000, p50: 1_000, p95: 1_000, p99: 1_000, max: 1_000 })
    expect(figures.latency.firstByte).toMatchObject({ n: 4, p50: 20, max: 40 })
  })

  it('adds up tokens', () => {
    expect(figures.tokens.input).toMatchObject({ total: 400, perRun: { n: 2, mean: 200 } })
    expect(figures.tokens.output).toMatchObject({ total: 80, perRun: { p50: 40 } })
    expect(figures.tokens.cacheRead.total).toBe(0)
  })

  it('counts tool calls and their errors', () => {
    expect(figures.tools).toEqual({ charge: { calls: 2, errors: 1, rate: 0.5 } })
  })

  it('has the figures that each gate starts from', () => {
    expect(figures.gates).toEqual({
      runError: { bad: 1, n: 3, rate: 1 / 3 },
      toolFailure: { bad: 1, n: 3, rate: 1 / 3 },
      latency: { p95Ms: 1_000, n: 2 },
    })
  })

  it('formats as a table', () => {
    const lines = formatBaseline(figures)
    expect(lines[0]).toBe('runs      4: 2 succeeded, 1 failed, 1 unfinished; success 66.7%')
    expect(lines[1]).toBe('requests  9: 5 failed (client_left 1, overloaded_error 3, status_503 1)')
    expect(lines).toContain(
      `${'run'.padEnd(28)}${['2', '1000ms', '1000ms', '1000ms', '1000ms', '1000ms'].map((cell) => cell.padStart(10)).join('')}`,
    )
    expect(lines.at(-1)).toBe('gates     run error 33.3%, tool failure 33.3%, latency p95 1000ms, of 3 runs')
    expect(JSON.parse(JSON.stringify(figures))).toEqual(figures)
  })

  it('has null instead of figures if no run has ended', () => {
    const empty = baseline([left])
    expect(empty.runs).toEqual({ total: 1, succeeded: 0, failed: 0, unfinished: 1, rate: null })
    expect(empty.gates).toEqual({
      runError: { bad: 0, n: 0, rate: null },
      toolFailure: { bad: 0, n: 0, rate: null },
      latency: { p95Ms: null, n: 0 },
    })
    // JSON has no NaN: what is read back would not be what was computed.
    expect(JSON.parse(JSON.stringify(empty))).toEqual(empty)
    const lines = formatBaseline(empty)
    expect(lines[0]).toBe('runs      1: 0 succeeded, 0 failed, 1 unfinished; success -')
    expect(lines.at(-1)).toBe('gates     run error -, tool failure -, latency p95 -, of 0 runs')
    expect(lines).toContain(
      `${'run'.padEnd(28)}${['0', '-', '-', '-', '-', '-'].map((cell) => cell.padStart(10)).join('')}`,
    )
  })
})

describe('a distribution', () => {
  it.each([
    [[], [null, null, null, null]],
    [[7], [7, 7, 7, 7]],
    [
      [3, 1, 2],
      [2, 3, 3, 3],
    ],
    [Array.from({ length: 100 }, (_, index) => 100 - index), [50, 95, 99, 100]],
    [Array.from({ length: 1_000 }, (_, index) => index + 1), [500, 950, 990, 1_000]],
  ])('has only quantiles that occurred: %#', (values, expected) => {
    const { n, p50, p95, p99, max } = distribution(values)
    expect([p50, p95, p99, max]).toEqual(expected)
    expect(n).toBe(values.length)
  })
})
