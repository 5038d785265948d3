import type { BlockPlace, TurnRetracted } from '@millrace/core'

/** A content block as a client of a foreign protocol has been shown it. */
export interface ShownBlock {
  readonly turn: number
  readonly block: number
  readonly kind: string
  /** Its id in the foreign protocol; another one after a retraction has opened it again. */
  id: string
  text: string
  isOpen: boolean
  /** Of a tool call. */
  toolUseId: string
  name: string
}

/**
 * What has been shown, for protocols whose only way to withdraw a part of it is to say what remains. It holds as much as
 * the run has shown since the last `forget`.
 */
export interface ShownBlocks {
  readonly all: readonly ShownBlock[]
  /** The block at that place; `isFresh` where it was not there. */
  at(place: BlockPlace, kind: string): { readonly block: ShownBlock; readonly isFresh: boolean }
  find(toolUseId: string): ShownBlock | undefined
  /** The blocks that a retraction reaches. */
  reachedBy(event: TurnRetracted): readonly ShownBlock[]
  /** Applies a retraction. Gives the block that is open again, where one keeps a part of its text. */
  retract(event: TurnRetracted): ShownBlock | undefined
  /** Forgets the turns before `turn`. */
  forget(turn: number): void
}

export function shownBlocks(): ShownBlocks {
  let blocks: ShownBlock[] = []
  let versions = 0
  return {
    get all() {
      return blocks
    },
    at({ turn, block: index }, kind) {
      const known = blocks.findLast((each) => each.turn === turn && each.block === index)
      if (known) return { block: known, isFresh: false }
      const id = `${turn}.${index}.${versions}`
      const block: ShownBlock = { turn, block: index, kind, id, text: '', isOpen: true, toolUseId: '', name: '' }
      blocks.push(block)
      return { block, isFresh: true }
    },
    find: (toolUseId) => blocks.findLast((each) => each.toolUseId === toolUseId),
    reachedBy: (event) => blocks.filter((block) => isReached(block, event)),
    retract(event) {
      const { turn, fromBlock, fromOffset } = event
      versions++
      blocks = blocks.filter((each) => !isReached(each, event) || (each.block === fromBlock && fromOffset > 0))
      const kept = blocks.find((each) => isReached(each, event))
      if (!kept) return undefined
      const id = `${turn}.${fromBlock}.${versions}`
      return Object.assign(kept, { text: kept.text.slice(0, fromOffset), isOpen: true, id })
    },
    forget(turn) {
      blocks = blocks.filter((each) => each.turn >= turn)
    },
  }
}

function isReached({ turn, block }: ShownBlock, event: TurnRetracted): boolean {
  return turn === event.turn && block >= event.fromBlock
}

/** Whether a block of this kind is a tool call, of a client tool or one that Anthropic executes. */
export function isCallKind(kind: string): boolean {
  return kind.endsWith('tool_use')
}
