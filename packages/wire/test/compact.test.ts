import { type AgentEvent, checksum, type EventBody } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { describe, expect, it } from 'vitest'
import { ndjsonEncoder, sseEncoder } from '../src/index.ts'
import { asReceived, decodeAll } from './expected.ts'

const place = { turn: 1, attempt: 1, block: 0 }
const usage = { input_tokens: 10, output_tokens: 5 }
const call = { toolUseId: 'toolu_01', name: 'lookUp', turn: 1 }

function events(...bodies: EventBody[]): AgentEvent[] {
  return bodies.map((body, index) => ({
    ...body,
    seq: index + 1,
    runId: 'run-secretid',
    at: 1_780_000_000_000 + index,
  }))
}

function lines(list: readonly AgentEvent[], rawContent = false): Record<string, unknown>[] {
  const text = ndjsonEncoder({ rawContent }).encode(list)
  return text
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line))
    .filter(isRecord)
}

const turn = events(
  { type: 'run.started', decision: { mode: 'stream', arm: 'streaming', reason: 'explicit', tools: {} } },
  { type: 'turn.started', turn: 1, attempt: 1, mode: 'stream' },
  { type: 'block.started', ...place, kind: 'text' },
  { type: 'text.delta', ...place, text: 'Millrace ' },
  { type: 'text.delta', ...place, text: 'runs' },
  { type: 'block.finished', ...place, kind: 'text', length: 13, checksum: checksum('Millrace runs') },
  { type: 'tool.input', ...place, ...call, block: 1, json: '{"order": ' },
  { type: 'tool.input', ...place, ...call, block: 1, json: '"A-1"}' },
  {
    type: 'turn.finished',
    turn: 1,
    attempt: 1,
    mode: 'stream',
    stopReason: 'tool_use',
    usage,
    container: 'container_01secret',
    content: [
      { type: 'thinking', thinking: 'hm', signature: 'c2lnbmF0dXJl' },
      { type: 'text', text: 'Millrace runs' },
    ],
  },
  { type: 'tool.started', ...call, input: { order: 'A-1' }, attempt: 1 },
  { type: 'tool.finished', ...call, input: { order: 'A-1' }, result: 'sent', outcome: 'ok', durationMs: 3 },
  { type: 'run.finished', outcome: 'completed', stopReason: 'end_turn', usage },
)

describe('what travels', () => {
  it('has the run id in the first event alone', () => {
    expect(sseEncoder().encode(turn).split('run-secretid').length - 1).toBe(1)
    expect(sseEncoder().encode(turn.slice(3)).split('run-secretid').length - 1).toBe(1)
  })

  it('dates structural events only, and the first of a connection', () => {
    const undated = lines(turn).filter((line) => line['at'] === undefined)
    expect(undated.map(({ type }) => type)).toEqual(['text.delta', undefined, 'tool.input', undefined])
    expect(lines(turn.slice(3))[0]).toHaveProperty('at')
  })

  it('sends a delta as its text alone, directly after one of its type and block', () => {
    expect(lines(turn)[4]).toEqual({ seq: 5, text: 'runs' })
    expect(lines(turn)[7]).toEqual({ seq: 8, json: '"A-1"}' })
    const moved = events(
      { type: 'text.delta', ...place, text: 'a' },
      { type: 'text.delta', ...place, attempt: 2, text: 'b' },
      { type: 'text.delta', ...place, attempt: 2, block: 1, text: 'c' },
      { type: 'thinking.delta', ...place, attempt: 2, block: 1, text: 'd' },
      { type: 'turn.started', turn: 2, attempt: 1, mode: 'stream' },
      { type: 'thinking.delta', ...place, attempt: 2, block: 1, text: 'e' },
    )
    expect(lines(moved).every((line) => 'type' in line)).toBe(true)
  })

  it('takes at most 60 bytes for a delta of 20 characters', () => {
    const encoder = sseEncoder()
    const [first, second] = events(
      { type: 'text.delta', ...place, text: '20 characters, yes! ' },
      { type: 'text.delta', ...place, text: '20 characters, yes! ' },
    )
    if (first === undefined || second === undefined) throw new Error('no events')
    encoder.encode([first])
    expect(encoder.encode([{ ...second, seq: 12_345 }])).toHaveLength(49)
  })

  it('sends no text twice, tool input included', () => {
    const text = sseEncoder().encode(turn)
    expect(text.split('Millrace').length - 1).toBe(1)
    expect(text.split('A-1').length - 1).toBe(1)
  })

  it('keeps signatures and raw content on the server unless asked', () => {
    expect(sseEncoder().encode(turn)).not.toContain('c2lnbmF0dXJl')
    expect(sseEncoder({ rawContent: true }).encode(turn)).toContain('c2lnbmF0dXJl')
    expect(decodeAll(sseEncoder({ rawContent: true }).encode(turn))).toEqual(asReceived(turn, true))
  })

  it.each([
    ['SSE', sseEncoder],
    ['NDJSON', ndjsonEncoder],
  ])("keeps the container of Anthropic's tools on the server unless asked: %s", (_format, encoder) => {
    expect(encoder().encode(turn)).not.toContain('container')
    expect(encoder({ rawContent: true }).encode(turn).split('"container":"container_01secret"')).toHaveLength(2)
    const finished = decodeAll(sseEncoder().encode(turn)).find(({ type }) => type === 'turn.finished')
    expect(finished).not.toHaveProperty('container')
  })

  it('sends a tool input again to a connection that has not had it, once', () => {
    const started = turn.findIndex(({ type }) => type === 'tool.started')
    expect(sseEncoder().encode(turn.slice(started)).split('A-1').length - 1).toBe(1)
  })

  it('sends a tool input again where it is not what the fragments say', () => {
    const changed = turn.map((event): AgentEvent =>
      event.type === 'tool.started' ? { ...event, input: { order: 'B-2' } } : event,
    )
    const text = sseEncoder().encode(changed)
    expect(text).toContain('B-2')
    expect(decodeAll(text)).toEqual(asReceived(changed))
  })

  it('sends a tool input again after a retraction, and where it is too large to remember', () => {
    const retraction: EventBody = {
      type: 'turn.retracted',
      turn: 1,
      attempt: 1,
      fromBlock: 1,
      fromOffset: 0,
      reason: 'truncated',
    }
    const large = 'x'.repeat(1_100_000)
    for (const list of [
      events({ type: 'tool.input', ...place, ...call, json: '{"a":1}' }, retraction, {
        type: 'tool.started',
        ...call,
        input: { a: 1 },
        attempt: 1,
      }),
      events(
        { type: 'tool.input', ...place, ...call, json: `{"a":"${large}` },
        { type: 'tool.input', ...place, ...call, json: '"}' },
        { type: 'tool.started', ...call, input: { a: large }, attempt: 1 },
      ),
    ]) {
      const text = sseEncoder().encode(list)
      expect(text).toContain('"input":')
      expect(decodeAll(text)).toEqual(asReceived(list))
    }
  })

  it('spends no more bytes on a text delta than its place and its frame need', () => {
    const delta = events(
      { type: 'text.delta', ...place, text: '' },
      { type: 'text.delta', ...place, text: 'ab' },
    ).slice(1)
    const writer = sseEncoder()
    writer.encode(turn.slice(0, 1))
    expect(writer.encode(delta)).toBe(
      'id: 2\ndata: {"type":"text.delta","turn":1,"attempt":1,"block":0,"text":"ab"}\n\n',
    )
  })
})
