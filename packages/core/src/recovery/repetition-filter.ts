import type { Addition } from '../model/accumulator.ts'
import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { type ContentBlock, textOf } from '../protocol/messages.ts'
import { matchRepetition } from './repetition.ts'

/**
 * Takes out of an answer, which should go on from text that was said already, the repetition of that text at its
 * beginning. What arrives is held back only as long as it may still be the repetition.
 */
export interface RepetitionFilter {
  /** Takes what an event added. Returns what may be shown now. */
  add(addition: Addition): readonly Addition[]
  /** The answer is whole: what is held back and is no whole repetition belongs to it. Returns that. */
  end(): readonly Addition[]
  /** Returns the blocks without the repetition, and without what is held back. */
  trim(blocks: readonly AccumulatedBlock[]): readonly AccumulatedBlock[]
}

/** @param said the text that the answer goes on from; empty for an answer that goes on from nothing */
export function createRepetitionFilter(said: string): RepetitionFilter {
  const match = matchRepetition(said)
  let decided = said === ''
  let held: Addition[] = []
  /** How much of the text of each block is not shown. */
  const hidden = new Map<number, number>()

  function hide(index: number, length: number): void {
    hidden.set(index, (hidden.get(index) ?? 0) + length)
  }

  /** Drops the repetition, `count` code units long, from what is held back, and gives the rest. */
  function release(count: number): readonly Addition[] {
    decided = true
    hidden.clear()
    let left = count
    const released = held.flatMap((addition): Addition[] => {
      const text = textIn(addition)
      const cut = Math.min(left, text.length)
      left -= cut
      if (cut === 0) return [addition]
      hide(addition.index, cut)
      return withText(addition, text.slice(cut))
    })
    held = []
    return released
  }

  return {
    add(addition) {
      const text = textIn(addition)
      if (decided || (text === '' && held.length === 0)) return [addition]
      held.push(addition)
      if (text === '') return []
      hide(addition.index, text.length)
      const count = match.take(text)
      return count === undefined ? [] : release(count)
    },
    end: () => (decided ? [] : release(match.end())),
    trim: (blocks) => blocks.flatMap((block) => trimBlock(block, hidden.get(block.index) ?? 0)),
  }
}

function textIn(addition: Addition): string {
  if (addition.type === 'text') return addition.text
  return addition.type === 'started' ? textOf(addition.block) : ''
}

function withText(addition: Addition, text: string): Addition[] {
  if (addition.type === 'started') return [{ ...addition, block: { ...addition.block, text } }]
  return addition.type === 'text' && text !== '' ? [{ ...addition, text }] : []
}

function trimBlock(block: AccumulatedBlock, length: number): AccumulatedBlock[] {
  if (length === 0) return [block]
  const text = block.text.slice(length)
  const trimmed: ContentBlock = { ...block.block, text }
  return text === '' ? [] : [{ ...block, text, block: trimmed }]
}
