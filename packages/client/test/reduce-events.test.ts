import { type AgentEvent, checksum, type EventBody } from '@millrace/core'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { viewText, createView, emptyView, reduceEvent, reduceEvents, type RunView, toolOf } from '../src/index.ts'
import { arbitraryRun } from './arbitrary-run.ts'

function textsOf(view: RunView): Map<string, string> {
  const texts = view.turns.flatMap(({ turn, blocks }) =>
    blocks.map(({ block, text }): [string, string] => [`${turn}/${block}`, text]),
  )
  return new Map(texts.filter(([, text]) => text !== ''))
}

function events(...bodies: EventBody[]): AgentEvent[] {
  return bodies.map((body, index) => ({ ...body, seq: index + 1, runId: 'run', at: 1 }))
}

const place = { turn: 1, attempt: 1, block: 0 }
const usage = { input_tokens: 1, output_tokens: 2 }

describe('a view', () => {
  it('agrees with an independent reducer after every event, and verifies every text', () => {
    fc.assert(
      fc.property(arbitraryRun, ({ events, shown }) => {
        let view = emptyView
        for (const [index, event] of events.entries()) {
          view = reduceEvent(view, event)
          expect(textsOf(view)).toEqual(shown[index])
        }
        expect(view).toMatchObject({ status: 'finished', outcome: 'completed' })
        expect(view).not.toHaveProperty('damage')
      }),
      { numRuns: 300 },
    )
  })

  it('is the same for any batches and for repeated events', () => {
    fc.assert(
      fc.property(arbitraryRun, fc.array(fc.nat({ max: 70 })), ({ events }, cuts) => {
        const whole = reduceEvents(emptyView, events)
        let view = emptyView
        for (const cut of [...cuts, 0])
          view = reduceEvents(view, events.slice(Math.max(0, view.seq - (cut % 5)), cut || undefined))
        expect(view).toEqual(whole)
      }),
    )
  })

  it('keeps its identity for events that it has already', () => {
    fc.assert(
      fc.property(arbitraryRun, ({ events }) => {
        const view = reduceEvents(emptyView, events)
        expect(reduceEvents(view, events)).toBe(view)
      }),
    )
  })

  it('keeps the identity of turns and tools that an event does not touch', () => {
    fc.assert(
      fc.property(arbitraryRun, ({ events }) => {
        let view = emptyView
        for (const event of events) {
          const next = reduceEvent(view, event)
          const touchesTools = event.type.startsWith('tool.') && event.type !== 'tool.input'
          const touched = 'turn' in event && !touchesTools ? event.turn : undefined
          const others = view.turns.filter(({ turn }) => turn !== touched)
          expect(others.filter((turn) => !next.turns.includes(turn))).toEqual([])
          expect(touchesTools || next.tools === view.tools).toBe(true)
          view = next
        }
      }),
    )
  })

  it('keeps the identity of the other blocks of a turn, and of the other tools', () => {
    const view = reduceEvents(
      emptyView,
      events(
        { type: 'text.delta', ...place, text: 'a' },
        { type: 'text.delta', ...place, block: 1, text: 'b' },
        { type: 'tool.started', toolUseId: 'x', name: 'x', input: 1, turn: 1, attempt: 1 },
        { type: 'tool.started', toolUseId: 'y', name: 'y', input: 1, turn: 1, attempt: 1 },
      ),
    )
    const head = { runId: 'run', at: 1 }
    const text = reduceEvent(view, { type: 'text.delta', ...place, block: 1, text: 'c', seq: 5, ...head })
    expect(text.turns[0]?.blocks[0]).toBe(view.turns[0]?.blocks[0])
    expect(text.turns[0]?.blocks[1]?.text).toBe('bc')
    const tool = reduceEvent(view, {
      type: 'tool.progress',
      toolUseId: 'y',
      name: 'y',
      turn: 1,
      elapsedMs: 1,
      seq: 5,
      ...head,
    })
    expect(tool.tools[0]).toBe(view.tools[0])
    expect(tool.turns).toBe(view.turns)
  })

  it('notes the first gap, and applies the events after it', () => {
    fc.assert(
      fc.property(arbitraryRun, fc.nat(), ({ events }, at) => {
        const missing = at % (events.length - 1)
        const view = reduceEvents(emptyView, events.toSpliced(missing, 1))
        expect(view.damage).toEqual({ reason: 'gap', expected: missing + 1, received: missing + 2 })
        expect(view.seq).toBe(events.length)
      }),
    )
  })

  it.each<[string, Partial<{ length: number; checksum: string }>]>([
    ['length', { length: 3 }],
    ['checksum', { checksum: '00000000' }],
  ])('notes a text whose %s is not what was sent', (_name, wrong) => {
    const finished = {
      type: 'block.finished',
      ...place,
      kind: 'text',
      length: 2,
      checksum: checksum('ab'),
      ...wrong,
    } as const
    const view = reduceEvents(emptyView, events({ type: 'text.delta', ...place, text: 'ab' }, finished))
    expect(view.damage).toEqual({ reason: 'mismatch', turn: 1, block: 0 })
  })

  it('orders blocks by index, in whatever order they start', () => {
    const view = reduceEvents(
      emptyView,
      events(...[3, 0, 2].map((block): EventBody => ({ type: 'block.started', ...place, block, kind: 'text' }))),
    )
    expect(view.turns[0]?.blocks.map(({ block }) => block)).toEqual([0, 2, 3])
  })

  it('follows a tool call from its input to its result', () => {
    const call = { toolUseId: 'toolu_1', name: 'charge', turn: 1 }
    const view = reduceEvents(
      emptyView,
      events(
        { type: 'block.started', ...place, kind: 'tool_use' },
        { type: 'tool.input', ...place, ...call, json: '{"a":' },
        { type: 'tool.input', ...place, ...call, json: '1}' },
        { type: 'tool.started', ...call, input: { a: 1 }, attempt: 1 },
        { type: 'tool.progress', ...call, progress: 1, total: 4, message: 'on it', elapsedMs: 10 },
        { type: 'tool.progress', ...call, progress: 2, elapsedMs: 20 },
        {
          type: 'tool.finished',
          ...call,
          input: { a: 1 },
          result: 'done',
          outcome: 'ok',
          durationMs: 30,
          reused: true,
        },
      ),
    )
    const block = view.turns[0]?.blocks[0]
    expect(block).toMatchObject({ kind: 'tool_use', text: '{"a":1}', name: 'charge', open: true })
    expect(block && toolOf(view, block)).toEqual({
      ...call,
      input: { a: 1 },
      status: 'ok',
      progress: 2,
      total: 4,
      message: 'on it',
      elapsedMs: 20,
      durationMs: 30,
      result: 'done',
      reused: true,
    })
    expect(toolOf(view, { block: 1, kind: 'text', text: '', open: true })).toBeUndefined()
  })

  it('starts over on a reset, and counts unknown events', () => {
    const [started] = events({
      type: 'run.started',
      sessionId: 's',
      decision: { mode: 'stream', arm: 'streaming', reason: 'flag', tools: {} },
    })
    const view = reduceEvents(emptyView, started ? [started] : [])
    const unknown = reduceEvent(view, { type: 'unknown', seq: 2, name: 'weather.changed', fields: {} })
    expect(unknown).toEqual({ ...view, seq: 2 })
    expect(reduceEvent(unknown, { type: 'reset', seq: 0, reason: 'gone' })).toEqual({ ...emptyView, runId: 'run' })
  })

  it('keeps the text of a turn that called a tool until there is text after the call', () => {
    const all = events(
      { type: 'text.delta', ...place, text: 'let me ' },
      { type: 'text.delta', ...place, block: 1, text: 'look' },
      { type: 'tool.started', toolUseId: 'x', name: 'x', input: 1, turn: 1, attempt: 1 },
      { type: 'thinking.delta', ...place, turn: 2, text: 'hm' },
      { type: 'text.delta', ...place, turn: 2, block: 1, text: '\n' },
      { type: 'text.delta', ...place, turn: 2, block: 1, text: 'blue' },
      { type: 'tool.started', toolUseId: 'y', name: 'y', input: 1, turn: 2, attempt: 1 },
      { type: 'turn.retracted', turn: 2, attempt: 2, fromBlock: 0, fromOffset: 0, reason: 'truncated' },
    )
    expect(all.map((_event, index) => viewText(reduceEvents(emptyView, all.slice(0, index + 1))))).toEqual([
      'let me ',
      'let me look',
      'let me look',
      'let me look',
      'let me look',
      '\nblue',
      '\nblue',
      'let me look',
    ])
  })

  it('has the text of all turns after the last tool call', () => {
    const view = reduceEvents(
      emptyView,
      events(
        { type: 'text.delta', ...place, text: 'let me look' },
        { type: 'tool.started', toolUseId: 'x', name: 'x', input: 1, turn: 1, attempt: 1 },
        { type: 'thinking.delta', ...place, turn: 2, text: 'hm' },
        { type: 'text.delta', ...place, turn: 2, block: 1, text: 'it is ' },
        { type: 'text.delta', ...place, turn: 3, text: 'blue' },
        {
          type: 'run.finished',
          outcome: 'failed',
          stopReason: null,
          usage,
          error: { code: 'overloaded', message: 'm', retryable: true },
        },
      ),
    )
    expect(viewText(view)).toBe('it is blue')
    expect(view.error).toEqual({ code: 'overloaded', message: 'm', retryable: true })
  })
})

describe('createView', () => {
  it('calls its listeners once for each change, until they unsubscribe', () => {
    const store = createView()
    const seen: number[] = []
    const listener = (): void => void seen.push(store.current().seq)
    const leaveFirst = store.subscribe(listener)
    const leaveSecond = store.subscribe(listener)
    const list = events({ type: 'text.delta', ...place, text: 'a' }, { type: 'text.delta', ...place, text: 'b' })
    store.apply(list)
    store.apply(list)
    leaveFirst()
    leaveFirst()
    expect(seen).toEqual([2, 2])
    store.apply([{ type: 'reset', seq: 0, reason: 'gone' }])
    leaveSecond()
    store.apply(list)
    expect(seen).toEqual([2, 2, 0])
    expect(store.current().seq).toBe(2)
  })
})
