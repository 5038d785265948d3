import { type BlockIdentity, isSame } from './block-identity.ts'
import type { Display } from './display.ts'
import { commonPrefix } from './common-prefix.ts'
import type { ShownBlock } from '../reduce/shown-blocks.ts'

/**
 * Shows an attempt, block by block, compared with what earlier attempts have shown. Nothing is sent while it only repeats
 * that; where it goes on, the shown text simply goes on; at the first difference the rest is retracted.
 */
export interface Comparison {
  /** Another attempt begins. */
  begin(): void
  open(block: BlockIdentity): void
  show(index: number, text: string): void
  finish(index: number): void
  /** Whether the attempt has, so far, only repeated what an earlier one has shown. */
  readonly repeating: boolean
}

export function createComparison(display: Display): Comparison {
  let repeating = false
  /** The shown blocks before this index have been repeated. */
  let cursor = 0
  /** How much of the text of the current block has been repeated. */
  let repeated = 0

  /** Attempt and shown text part ways: retracts what is shown beyond that point, and sends `text` instead. */
  function diverge(shown: ShownBlock, text: string): void {
    const { block: index, kind } = shown
    const isLast = display.next(index + 1) === undefined
    // Text is appended to the last block alone, since text is read in order. The order of anything else does not matter,
    // and retracting it would retract the text of the blocks after it.
    if (repeated === shown.text.length && shown.open && (isLast || kind !== 'text')) {
      repeating = !isLast
      display.append(index, text)
      repeated += text.length
      return
    }
    repeating = false
    display.replace(index, shown.text.slice(0, repeated) + text, repeated)
  }

  return {
    begin() {
      repeating = display.blocks.length > 0
      cursor = 0
      repeated = 0
    },
    open(block) {
      const { index } = block
      display.adopt(block)
      if (repeating) {
        const skipped = display.next(cursor, index)
        const before = display.at(index)
        cursor = index + 1
        repeated = 0
        if (skipped === undefined && before !== undefined && isSame(before, block)) return
        const stale = skipped ?? display.next(index)
        if (stale !== undefined) display.retract(stale.block, 0)
        repeating = false
      }
      display.start(block)
    },
    show(index, text) {
      const shown = display.at(index)
      if (shown === undefined) return
      if (!repeating) return display.append(index, text)
      const same = commonPrefix(shown.text, repeated, text)
      repeated += same
      if (same < text.length) diverge(shown, text.slice(same))
    },
    finish(index) {
      const shown = display.at(index)
      if (shown === undefined) return
      if (repeating && repeated < shown.text.length) diverge(shown, '')
      display.finish(index)
    },
    get repeating() {
      return repeating
    },
  }
}
