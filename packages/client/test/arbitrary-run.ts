import { type AgentEvent, checksum, type EventBody } from '@millrace/core'
import * as fc from 'fast-check'

/** One code unit that is shown, and where. The reference is the list of them: nothing could be simpler. */
interface ShownUnit {
  readonly turn: number
  readonly block: number
  readonly unit: string
}

export interface SimulatedRun {
  readonly events: readonly AgentEvent[]
  /** What must be shown after each event: `turn/block` to text. */
  readonly shown: readonly ReadonlyMap<string, string>[]
}

type Step =
  | { readonly do: 'open'; readonly kind: 'text' | 'thinking' | 'tool_use' }
  | { readonly do: 'delta'; readonly text: string }
  | { readonly do: 'close' }
  | { readonly do: 'retract'; readonly block: number; readonly offset: number }
  | { readonly do: 'turn' }
  | { readonly do: 'tool'; readonly progress: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('open'), kind: fc.constantFrom('text', 'thinking', 'tool_use') }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('delta'), text: fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('close') }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('retract'), block: fc.nat({ max: 5 }), offset: fc.nat({ max: 12 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('turn') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tool'), progress: fc.nat() }) },
)

/** Runs as a server may send them: blocks one after the other, retractions to any point of a turn, tools in between. */
export const arbitraryRun: fc.Arbitrary<SimulatedRun> = fc.array(step, { minLength: 1, maxLength: 60 }).map(simulate)

function simulate(steps: readonly Step[]): SimulatedRun {
  const events: AgentEvent[] = []
  const shown: ReadonlyMap<string, string>[] = []
  let units: ShownUnit[] = []
  /** The blocks of the current turn that are there, and whether they are open. */
  let blocks: { readonly block: number; readonly kind: string; isOpen: boolean }[] = []
  const place = { turn: 1, attempt: 1 }
  let tools = 0

  const textOf = (turn: number, block: number): string =>
    units
      .filter((each) => each.turn === turn && each.block === block)
      .map(({ unit }) => unit)
      .join('')

  function emit(body: EventBody): void {
    events.push({ ...body, seq: events.length + 1, runId: 'run', at: 1000 })
    const map = new Map<string, string>()
    for (const { turn, block, unit } of units) map.set(`${turn}/${block}`, (map.get(`${turn}/${block}`) ?? '') + unit)
    shown.push(map)
  }

  function close(): void {
    for (const entry of blocks) {
      if (!entry.isOpen) continue
      entry.isOpen = false
      const text = textOf(place.turn, entry.block)
      emit({
        type: 'block.finished',
        ...place,
        block: entry.block,
        kind: entry.kind,
        length: text.length,
        checksum: checksum(text),
      })
    }
  }

  function delta(text: string): void {
    const open = blocks.at(-1)
    if (open?.isOpen !== true) return
    for (const unit of text.split('')) units.push({ turn: place.turn, block: open.block, unit })
    const at = { ...place, block: open.block }
    if (open.kind === 'text') emit({ type: 'text.delta', ...at, text })
    else if (open.kind === 'thinking') emit({ type: 'thinking.delta', ...at, text })
    else emit({ type: 'tool.input', ...at, toolUseId: `toolu_${place.turn}_${open.block}`, name: 'tool', json: text })
  }

  function retract(wanted: number, offset: number): void {
    const from = blocks.find(({ block }) => block >= wanted)
    if (!from) return
    place.attempt++
    const fromOffset = Math.min(offset, textOf(place.turn, from.block).length)
    let kept = 0
    units = units.filter(
      ({ turn, block }) => turn !== place.turn || block < from.block || (block === from.block && kept++ < fromOffset),
    )
    blocks = blocks.filter(({ block }) => block < from.block || (block === from.block && fromOffset > 0))
    const last = blocks.at(-1)
    if (last && last.block === from.block) last.isOpen = true
    emit({ type: 'turn.retracted', ...place, fromBlock: from.block, fromOffset, reason: 'connection_lost' })
  }

  function nextTurn(): void {
    close()
    const usage = { input_tokens: 1, output_tokens: 1 }
    emit({ type: 'turn.finished', ...place, mode: 'stream', stopReason: 'tool_use', usage, content: [] })
    place.turn++
    place.attempt = 1
    blocks = []
    emit({ type: 'turn.started', ...place, mode: 'stream' })
  }

  function useTool(progress: number): void {
    const call = { toolUseId: `call_${++tools}`, name: 'tool', turn: place.turn }
    emit({ type: 'tool.started', ...call, input: {}, attempt: 1 })
    emit({ type: 'tool.progress', ...call, progress, elapsedMs: 1 })
    if (progress % 2 === 0)
      emit({ type: 'tool.finished', ...call, input: {}, result: 'r', outcome: 'ok', durationMs: 2 })
  }

  function take(each: Step): void {
    switch (each.do) {
      case 'open': {
        close()
        const block = (blocks.at(-1)?.block ?? -1) + 1
        blocks.push({ block, kind: each.kind, isOpen: true })
        return emit({ type: 'block.started', ...place, block, kind: each.kind })
      }
      case 'delta':
        return delta(each.text)
      case 'close':
        return close()
      case 'retract':
        return retract(each.block, each.offset)
      case 'turn':
        return nextTurn()
      case 'tool':
        return useTool(each.progress)
    }
  }

  emit({ type: 'run.started', decision: { mode: 'stream', arm: 'streaming', reason: 'explicit', tools: {} } })
  emit({ type: 'turn.started', ...place, mode: 'stream' })
  for (const each of steps) take(each)
  close()
  emit({
    type: 'run.finished',
    outcome: 'completed',
    stopReason: 'end_turn',
    usage: { input_tokens: 1, output_tokens: 1 },
  })
  return { events, shown }
}
