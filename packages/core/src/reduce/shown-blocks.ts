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
  switch (event.type) {
    case 'block.started':
      change(blocks, event.block, event.kind, (block) => ({ ...block, open: true }))
      break
    case 'text.delta':
      change(blocks, event.block, 'text', (block) => ({ ...block, text: block.text + event.text }))
      break
    case 'thinking.delta':
      change(blocks, event.block, 'thinking', (block) => ({ ...block, text: block.text + event.text }))
      break
    case 'tool.input': {
      const { toolUseId, name, json } = event
      change(blocks, event.block, 'tool_use', (block) => ({ ...block, toolUseId, name, text: block.text + json }))
      break
    }
    case 'block.finished':
      change(blocks, event.block, event.kind, (block) => ({ ...block, open: false }))
      break
    case 'turn.retracted':
      retract(blocks, event)
      break
  }
}

/** Returns where a block of that index stands, or would stand. The block that changes is nearly always the last one. */
function positionOf(blocks: readonly ShownBlock[], index: number): number {
  let position = blocks.length
  while ((blocks[position - 1]?.block ?? -1) >= index) position--
  return position
}

function change(blocks: ShownBlock[], index: number, kind: string, update: (block: ShownBlock) => ShownBlock): void {
  const at = positionOf(blocks, index)
  const known = blocks[at]
  if (known?.block === index) {
    blocks[at] = update(known)
    return
  }
  const opened = update({ block: index, kind, text: '', open: true })
  if (known === undefined) blocks.push(opened)
  else blocks.splice(at, 0, opened)
}

/** The block `fromBlock` keeps its first `fromOffset` UTF-16 code units and is open again; every later block goes. */
function retract(blocks: ShownBlock[], { fromBlock, fromOffset }: TurnRetracted): void {
  const at = positionOf(blocks, fromBlock)
  const cut = blocks[at]
  blocks.length = at
  if (cut?.block === fromBlock && fromOffset > 0) {
    blocks.push({ ...cut, text: cut.text.slice(0, fromOffset), open: true })
  }
}
