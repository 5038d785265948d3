import { type AgentEvent, checksum, type EventBody } from '@millrace/core'
import * as fc from 'fast-check'

const usage = { input_tokens: 3, output_tokens: 4 }

/** What is left of a run when it is over, in the order it was shown. */
export type Shown =
  | { readonly kind: 'text' | 'thinking'; readonly text: string }
  | {
      readonly kind: 'tool'
      readonly id: string
      readonly input: unknown
      readonly result: string
      readonly ok: boolean
    }

export interface ForeignRun {
  readonly events: readonly AgentEvent[]
  readonly shown: readonly Shown[]
}

type Step =
  | { readonly do: 'say'; readonly kind: 'text' | 'thinking'; readonly parts: readonly string[] }
  | { readonly do: 'call'; readonly eager: boolean }
  | { readonly do: 'retract'; readonly block: number; readonly offset: number }
  | { readonly do: 'turn'; readonly ok: boolean }

const part = fc.oneof(
  fc.string({ minLength: 1, maxLength: 8 }),
  fc.constantFrom('\n\ndata: [DONE]\n\n', '\u0000', '\u2028', '\u{1f600}'),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('say'),
      kind: fc.constantFrom('text', 'thinking'),
      parts: fc.array(part, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('call'), eager: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('retract'), block: fc.nat({ max: 4 }), offset: fc.nat({ max: 9 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('turn'), ok: fc.boolean() }) },
)

/** Runs as core sends them: only text is cut inside a block, tools report progress and settle at the end of their turn. */
export const foreignRun: fc.Arbitrary<ForeignRun> = fc
  .array(step, { minLength: 1, maxLength: 25 })
  .map((steps) => simulate(steps))

interface Block {
  readonly block: number
  readonly kind: 'text' | 'thinking' | 'tool_use'
  text: string
  isOpen: boolean
  readonly id: string
  started: boolean
  result?: string
  ok?: boolean
}

export function simulate(steps: readonly Step[]): ForeignRun {
  const events: AgentEvent[] = []
  const turns: Block[][] = [[]]
  const place = { turn: 1, attempt: 1 }
  let calls = 0
  const current = (): Block[] => turns.at(-1) ?? []
  const emit = (body: EventBody): void => {
    events.push({ ...body, seq: events.length + 1, runId: 'run', at: 1000 })
  }

  function close(): void {
    for (const block of current()) {
      if (!block.isOpen) continue
      block.isOpen = false
      emit({
        type: 'block.finished',
        ...place,
        block: block.block,
        kind: block.kind,
        length: block.text.length,
        checksum: checksum(block.text),
      })
    }
  }

  function open(kind: Block['kind'], id = ''): Block {
    close()
    const block: Block = {
      block: (current().at(-1)?.block ?? -1) + 1,
      kind,
      text: '',
      isOpen: true,
      id,
      started: false,
    }
    current().push(block)
    emit({ type: 'block.started', ...place, block: block.block, kind })
    return block
  }

  function say(block: Block, text: string): void {
    block.text += text
    const at = { ...place, block: block.block }
    if (block.kind === 'text') emit({ type: 'text.delta', ...at, text })
    else if (block.kind === 'thinking') emit({ type: 'thinking.delta', ...at, text })
    else emit({ type: 'tool.input', ...at, toolUseId: block.id, name: 'look_up', json: text })
  }

  function start(block: Block): void {
    if (block.started) return
    block.started = true
    const call = { toolUseId: block.id, name: 'look_up', turn: place.turn }
    emit({ type: 'tool.started', ...call, input: JSON.parse(block.text), attempt: place.attempt })
    emit({ type: 'tool.progress', ...call, progress: 1, total: 2, message: 'half\n', elapsedMs: 5 })
  }

  function call(eager: boolean): void {
    const block = open('tool_use', `toolu_${++calls}`)
    say(block, '{"order":')
    say(block, `${calls}}`)
    close()
    if (eager) start(block)
  }

  function retract(wanted: number, offset: number): void {
    const from = current().find(({ block }) => block >= wanted)
    if (!from) return
    const fromOffset = from.kind === 'text' ? Math.min(offset, from.text.length) : 0
    const gone = current().filter(({ block }) => block > from.block || (block === from.block && fromOffset === 0))
    place.attempt++
    turns[turns.length - 1] = current().filter((block) => !gone.includes(block))
    const isDiscardedFirst = offset % 2 === 0
    if (isDiscardedFirst) discard(gone)
    emit({ type: 'turn.retracted', ...place, fromBlock: from.block, fromOffset, reason: 'connection_lost' })
    if (!isDiscardedFirst) discard(gone)
    if (fromOffset === 0) return
    from.text = from.text.slice(0, fromOffset)
    from.isOpen = true
  }

  function discard(gone: readonly Block[]): void {
    for (const { id, started, text } of gone) {
      if (!started) continue
      emit({
        type: 'tool.finished',
        toolUseId: id,
        name: 'look_up',
        input: JSON.parse(text),
        turn: place.turn,
        result: '',
        outcome: 'discarded',
        durationMs: 1,
      })
    }
  }

  function finishTurn(ok: boolean): void {
    close()
    emit({ type: 'turn.finished', ...place, mode: 'stream', stopReason: null, usage, content: [] })
    for (const block of current()) {
      if (block.kind !== 'tool_use') continue
      start(block)
      block.ok = ok
      block.result = `result of ${block.id}\n`
      const result = ok ? [{ type: 'text', text: block.result }] : block.result
      const outcome = ok ? 'ok' : 'error'
      emit({
        type: 'tool.finished',
        toolUseId: block.id,
        name: 'look_up',
        input: JSON.parse(block.text),
        turn: place.turn,
        result,
        outcome,
        durationMs: 9,
      })
    }
  }

  function nextTurn(ok: boolean): void {
    finishTurn(ok)
    turns.push([])
    place.turn++
    place.attempt = 1
    emit({ type: 'turn.started', ...place, mode: 'stream' })
  }

  emit({
    type: 'run.started',
    sessionId: 'thread',
    decision: { mode: 'stream', arm: 'streaming', reason: 'flag', tools: {} },
  })
  emit({ type: 'turn.started', ...place, mode: 'stream' })
  for (const each of steps) {
    if (each.do === 'say') {
      const last = current().at(-1)
      const block = last?.isOpen === true && last.kind === each.kind ? last : open(each.kind)
      for (const text of each.parts) say(block, text)
    } else if (each.do === 'call') call(each.eager)
    else if (each.do === 'retract') retract(each.block, each.offset)
    else nextTurn(each.ok)
  }
  finishTurn(true)
  emit({ type: 'run.finished', outcome: 'completed', stopReason: 'end_turn', usage })
  return { events, shown: turns.flat().map(toShown) }
}

function toShown({ kind, text, id, result = '', ok = false }: Block): Shown {
  if (kind !== 'tool_use') return { kind, text }
  return { kind: 'tool', id, input: JSON.parse(text), result, ok }
}
