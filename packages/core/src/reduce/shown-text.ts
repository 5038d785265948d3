import type { AgentEvent, TurnRetracted } from '../protocol/events.ts'
import { isBlank } from '../protocol/messages.ts'
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
  /**
   * The text of the answer: what is shown of the turns after the last one whose calls have ended. If that is blank, the same
   * before these calls: an answer that ends with calls which are not run has its text before them.
   */
  readonly answer: string
  /** Forgets the turns before `turn`, which can no longer be retracted from. */
  forget(turn: number): void
}

/** Follows what a run shows from its events, without anything shown yet. */
export function createShownText(): ShownText {
  const turns = new Map<number, ShownBlock[]>()
  /** The turns whose calls have ended. */
  const called = new Set<number>()

  function blocksOf(turn: number): ShownBlock[] {
    const known = turns.get(turn)
    if (known !== undefined) return known
    const blocks: ShownBlock[] = []
    turns.set(turn, blocks)
    return blocks
  }

  const inOrder = (): number[] => [...turns.keys()].sort((a, b) => a - b)
  const textOf = (turn: number): string =>
    (turns.get(turn) ?? []).map(({ kind, text }) => (kind === 'text' ? text : '')).join('')

  return {
    apply(event) {
      // A legacy loop is given the ends of calls of earlier turns again, in a turn of its own.
      if (event.type === 'tool.finished' && event.outcome !== 'discarded' && event.reused !== true)
        called.add(event.turn)
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
      return inOrder()
    },
    get answer() {
      let answer = ''
      let said = ''
      for (const turn of inOrder()) {
        said += textOf(turn)
        if (!isBlank(said) || isBlank(answer)) answer = said
        if (called.has(turn)) said = ''
      }
      return answer
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
