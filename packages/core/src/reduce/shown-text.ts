import type { AgentEvent, TurnRetracted } from '../protocol/events.ts'
import { applyToBlocks, isBlockEvent, type ShownBlock } from './shown-blocks.ts'

/** What one event changed in the text that is shown. */
export type TextChange =
  | { readonly type: 'append'; readonly turn: number; readonly block: number; readonly text: string }
  /** `text` is the end of what was shown of the turn, and is to be taken away. It is empty if only other blocks went. */
  | { readonly type: 'retract'; readonly turn: number; readonly text: string }

/** Follows what a run shows, turn by turn. */
export interface ShownText {
  /** Applies an event. Returns how the text changed; undefined for an event that changes no text. */
  apply(event: AgentEvent): TextChange | undefined
  /** Returns the shown blocks of a turn, in the order of their index. */
  blocks(turn: number): readonly ShownBlock[]
  /** The turns of which anything is shown, in their order. */
  readonly turns: readonly number[]
  /** Forgets the turns before `turn`, which can no longer be retracted from. */
  forget(turn: number): void
}

/** Follows what a run shows from its events, without anything shown yet. */
export function createShownText(): ShownText {
  const turns = new Map<number, ShownBlock[]>()

  function blocksOf(turn: number): ShownBlock[] {
    const known = turns.get(turn)
    if (known !== undefined) return known
    const blocks: ShownBlock[] = []
    turns.set(turn, blocks)
    return blocks
  }

  return {
    apply(event) {
      if (!isBlockEvent(event)) return undefined
      const { turn } = event
      const blocks = blocksOf(turn)
      const lost = event.type === 'turn.retracted' ? lostText(blocks, event) : ''
      applyToBlocks(blocks, event)
      if (blocks.length === 0) turns.delete(turn)
      if (event.type === 'text.delta') return { type: 'append', turn, block: event.block, text: event.text }
      return event.type === 'turn.retracted' ? { type: 'retract', turn, text: lost } : undefined
    },
    blocks: (turn) => turns.get(turn) ?? [],
    get turns() {
      return [...turns.keys()].sort((a, b) => a - b)
    },
    forget(turn) {
      for (const known of turns.keys()) if (known < turn) turns.delete(known)
    },
  }
}

/** Returns the text that a retraction takes away. */
function lostText(blocks: readonly ShownBlock[], { fromBlock, fromOffset }: TurnRetracted): string {
  return blocks
    .filter(({ block, kind }) => kind === 'text' && block >= fromBlock)
    .map(({ block, text }) => (block === fromBlock ? text.slice(fromOffset) : text))
    .join('')
}
