import type { Addition } from '../model/accumulator.ts'
import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { textOf } from '../protocol/messages.ts'
import { cutText, matchRepetition, type TextAccess } from './repetition.ts'

/**
 * Takes out of an answer, which should go on from text that was said already, the repetition of that text at its
 * beginning. What arrives is held back only as long as it may still be the repetition.
 */
export interface RepetitionFilter {
  /** Takes what an event added. Returns what may be shown now. */
  add(addition: Addition): readonly Addition[]
  /** The answer is whole: text that is held back and does not complete a repetition belongs to it. Returns that. */
  end(): readonly Addition[]
  /** Returns the blocks without the repetition, and without what is held back. */
  trim(blocks: readonly AccumulatedBlock[]): readonly AccumulatedBlock[]
}

/** @param said the text that the answer goes on from; empty for an answer that goes on from nothing */
export function createRepetitionFilter(said: string): RepetitionFilter {
  const match = matchRepetition(said)
  let decided = said === ''
  let held: Addition[] = []
  /** How much of the answer's text, from its beginning, is not shown. */
  let hidden = 0

  /** Drops the repetition, `count` code units long, from what is held back, and returns the rest. */
  function release(count: number): readonly Addition[] {
    const released = cutText(held, count, inAddition)
    decided = true
    hidden = count
    held = []
    return released
  }

  return {
    add(addition) {
      const text = inAddition.textIn(addition)
      if (decided || (text === '' && held.length === 0)) return [addition]
      held.push(addition)
      hidden += text.length
      const count = match.take(text)
      return count === undefined ? [] : release(count)
    },
    end: () => (decided ? [] : release(match.end())),
    trim: (blocks) => cutText(blocks, hidden, inBlock),
  }
}

const inAddition: TextAccess<Addition> = {
  textIn(addition) {
    if (addition.type === 'text') return addition.text
    return addition.type === 'started' ? textOf(addition.block) : ''
  },
  withText(addition, text) {
    if (addition.type === 'started') return { ...addition, block: { ...addition.block, text } }
    return addition.type === 'text' && text !== '' ? { ...addition, text } : undefined
  },
}

const inBlock: TextAccess<AccumulatedBlock> = {
  textIn: ({ kind, text }) => (kind === 'text' ? text : ''),
  withText: (block, text) => (text === '' ? undefined : { ...block, text, block: { ...block.block, text } }),
}
