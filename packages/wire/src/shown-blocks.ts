import type { BlockPlace, TurnRetracted } from '@millrace/core'
import { applyToBlocks, type BlockEvent, type ShownBlock as CoreBlock } from '@millrace/core/reduce'

/** A content block as a client of a foreign protocol has been shown it. */
export interface ShownBlock extends CoreBlock {
  readonly turn: number
  /** Its id in the foreign protocol; another one after a retraction has opened it again. */
  readonly id: string
  /** Whether the foreign client has been told of its start and not of its end. */
  readonly isOpen: boolean
}

/** An event that shows more of a block. */
type ShowingEvent = Exclude<BlockEvent, TurnRetracted | { readonly type: 'block.finished' }>

/**
 * What has been shown, for protocols whose only way to retract a part of it is to say what remains. It holds as much as the
 * run has shown since the last `forget`.
 */
export interface ShownBlocks {
  /** All blocks, in the order of turns and of their index. */
  all(): readonly ShownBlock[]
  /** Returns the block at that place. */
  at(place: Pick<BlockPlace, 'turn' | 'block'>): ShownBlock | undefined
  /** Returns the call's block. */
  find(toolUseId: string): ShownBlock | undefined
  /** Applies an event. Returns its block as it is then; `isFresh` where it was not there before. */
  show(event: ShowingEvent): { readonly block: ShownBlock; readonly isFresh: boolean }
  /** Remembers that the foreign client was told of the block's end. */
  close(block: ShownBlock): void
  /** Returns the blocks that a retraction reaches. */
  reachedBy(event: TurnRetracted): readonly ShownBlock[]
  /** Applies a retraction. Returns the block that is open again, where one keeps a part of its text. */
  retract(event: TurnRetracted): ShownBlock | undefined
  /** Forgets the turns before `turn`. */
  forget(turn: number): void
}

interface ShownTurn {
  readonly blocks: CoreBlock[]
  /** By the index of the block: how often it was opened again, and whether it is open in the foreign protocol. */
  readonly foreign: Map<number, { readonly id: string; isOpen: boolean }>
}

export function shownBlocks(): ShownBlocks {
  const turns = new Map<number, ShownTurn>()
  let versions = 0

  function turnOf(turn: number): ShownTurn {
    const known = turns.get(turn) ?? { blocks: [], foreign: new Map() }
    turns.set(turn, known)
    return known
  }

  function at({ turn, block: index }: Pick<BlockPlace, 'turn' | 'block'>): ShownBlock | undefined {
    const shown = turns.get(turn)
    const block = shown?.blocks.findLast((each) => each.block === index)
    return shown && block && viewOf(turn, shown, block)
  }

  const all = (): readonly ShownBlock[] =>
    [...turns].flatMap(([turn, shown]) => shown.blocks.map((block) => viewOf(turn, shown, block)))

  const reachedBy = (event: TurnRetracted): readonly ShownBlock[] =>
    all().filter(({ turn, block }) => turn === event.turn && block >= event.fromBlock)

  return {
    all,
    at,
    find: (toolUseId) => all().findLast((block) => block.toolUseId === toolUseId),
    show(event) {
      const { turn, block: index } = event
      const { blocks, foreign } = turnOf(turn)
      const isFresh = !foreign.has(index)
      if (isFresh) foreign.set(index, { id: `${turn}.${index}.${versions}`, isOpen: true })
      applyToBlocks(blocks, event)
      const block = at(event)
      if (block === undefined) throw new TypeError('unreachable')
      return { block, isFresh }
    },
    close({ turn, block: index }) {
      const foreign = turns.get(turn)?.foreign.get(index)
      if (foreign) foreign.isOpen = false
    },
    reachedBy,
    retract(event) {
      const { turn, fromBlock } = event
      const { blocks, foreign } = turnOf(turn)
      versions++
      applyToBlocks(blocks, event)
      for (const index of foreign.keys()) if (index >= fromBlock) foreign.delete(index)
      const cut = blocks.findLast(({ block }) => block === fromBlock)
      if (cut) foreign.set(fromBlock, { id: `${turn}.${fromBlock}.${versions}`, isOpen: true })
      return cut && at({ turn, block: fromBlock })
    },
    forget(turn) {
      for (const known of turns.keys()) if (known < turn) turns.delete(known)
    },
  }
}

function viewOf(turn: number, { foreign }: ShownTurn, block: CoreBlock): ShownBlock {
  const { id = '', isOpen = false } = foreign.get(block.block) ?? {}
  return { ...block, turn, id, isOpen }
}

/** Whether a block of this kind is a tool call, of a client tool or one that Anthropic executes. */
export function isCallKind(kind: string): boolean {
  return kind.endsWith('tool_use')
}
