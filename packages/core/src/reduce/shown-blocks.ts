import type {
  BlockFinished,
  BlockStarted,
  EventBody,
  TextDelta,
  ThinkingDelta,
  ToolInput,
  TurnRetracted,
} from '../protocol/events.ts'

/** A content block of a turn, as far as it is shown. */
export interface ShownBlock {
  /** Its index in the message; indices may be missing. */
  readonly block: number
  /** `text`, `thinking`, `tool_use` … */
  readonly kind: string
  /** Text or thinking; of a tool call the JSON of its input. */
  readonly text: string
  /** Whether more of it may come. */
  readonly open: boolean
  /** Of a tool call. */
  readonly toolUseId?: string
  readonly name?: string
}

/** An event that changes what is shown of a turn. */
export type BlockEvent = BlockStarted | BlockFinished | TextDelta | ThinkingDelta | ToolInput | TurnRetracted

/** Whether an event changes what is shown of its turn. */
export function isBlockEvent<Body extends EventBody>(event: Body): event is Extract<Body, BlockEvent> {
  switch (event.type) {
    case 'block.started':
    case 'block.finished':
    case 'text.delta':
    case 'thinking.delta':
    case 'tool.input':
    case 'turn.retracted':
      return true
    default:
      return false
  }
}

/**
 * Returns the shown blocks of a turn after an event. Changes none of `blocks`; a block that the event does not touch keeps
 * its identity. Use `applyToBlocks` for a turn that is not shared: its cost does not grow with the number of blocks.
 */
export function reduceBlocks(blocks: readonly ShownBlock[], event: BlockEvent): readonly ShownBlock[] {
  const next = [...blocks]
  applyToBlocks(next, event)
  return next
}

/**
 * Applies one event to the shown blocks of its turn, in place. `blocks` is in the order of the blocks' index; a block that
 * changes is replaced, never changed.
 */
export function applyToBlocks(blocks: ShownBlock[], event: BlockEvent): void {
  const at = positionOf(blocks, event.type === 'turn.retracted' ? event.fromBlock : event.block)
  if (event.type === 'turn.retracted') return retract(blocks, at, event)
  const known = blocks[at]
  if (known?.block === event.block) {
    blocks[at] = changed(known, event)
    return
  }
  const opened = changed({ block: event.block, kind: kindOf(event), text: '', open: true }, event)
  if (known === undefined) blocks.push(opened)
  else blocks.splice(at, 0, opened)
}

/** Returns the position of the first block with an index of at least `index`, by halving: a turn may have many blocks. */
export function positionOf(blocks: readonly ShownBlock[], index: number): number {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((blocks[middle]?.block ?? Infinity) < index) low = middle + 1
    else high = middle
  }
  return low
}

function kindOf(event: Exclude<BlockEvent, TurnRetracted>): string {
  if ('kind' in event) return event.kind
  if (event.type === 'tool.input') return 'tool_use'
  return event.type === 'thinking.delta' ? 'thinking' : 'text'
}

function changed(block: ShownBlock, event: Exclude<BlockEvent, TurnRetracted>): ShownBlock {
  if ('kind' in event) return { ...block, open: event.type === 'block.started' }
  if ('text' in event) return { ...block, text: block.text + event.text }
  const { toolUseId, name, json } = event
  return { ...block, toolUseId, name, text: block.text + json }
}

/** The block `fromBlock`, at `at`, keeps its first `fromOffset` UTF-16 code units and is open again; every later block goes. */
function retract(blocks: ShownBlock[], at: number, { fromBlock, fromOffset }: TurnRetracted): void {
  const cut = blocks[at]
  blocks.length = at
  if (cut?.block === fromBlock && fromOffset > 0) {
    blocks.push({ ...cut, text: cut.text.slice(0, fromOffset), open: true })
  }
}
