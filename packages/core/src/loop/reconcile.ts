import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { ShownBlock } from '../reduce/shown-blocks.ts'
import { type BlockIdentity, identify, initialText, isSame } from './block-identity.ts'
import { commonPrefix } from './common-prefix.ts'
import type { Display } from './display.ts'

/**
 * Makes what is shown of a turn equal to `blocks`, the ones that are kept. Shown thinking that is not kept is left where it
 * is, and if nothing can be retracted, so is everything that is not text.
 */
export function reconcile(display: Display, blocks: readonly AccumulatedBlock[]): void {
  let from = 0
  for (const { index, block, text } of blocks) {
    const whole = text === '' ? initialText(block) : text
    if (block.type === 'text' && whole === '') continue
    removeStale(display, from, index)
    place(display, identify(index, block), whole)
    from = index + 1
  }
  removeStale(display, from)
  for (const { block } of display.blocks) display.finish(block)
}

/** Retracts the first block in this range that must not stay, and with it all that follows. */
function removeStale(display: Display, from: number, to = Infinity): void {
  const mayStay = ({ kind }: ShownBlock): boolean =>
    kind.endsWith('thinking') || (!display.canRetract && kind !== 'text')
  let shown = display.next(from, to)
  while (shown !== undefined && mayStay(shown)) shown = display.next(shown.block + 1, to)
  if (shown !== undefined) display.retract(shown.block, 0)
}

/** Shows one block as it is kept. */
function place(display: Display, block: BlockIdentity, text: string): void {
  const { index, kind } = block
  display.adopt(block)
  const before = display.at(index)
  if (before !== undefined && !isSame(before, block)) display.retract(index, 0)
  const shown = display.at(index)
  const isLast = display.next(index + 1) === undefined
  // What is not text never costs text that has to stay.
  const mayRetract = (): boolean => kind === 'text' || display.canRetract || !display.losesText(index, 0)
  if (shown === undefined) {
    // Text is read in order. Without text after it, the block may as well come late.
    if (!isLast && mayRetract() && display.losesText(index, 0)) display.retract(index, 0)
    display.start(block)
    display.append(index, text)
  } else if (shown.open && text.startsWith(shown.text) && (isLast || kind !== 'text')) {
    display.append(index, text.slice(shown.text.length))
  } else if (text !== shown.text && mayRetract()) {
    display.replace(index, text, commonPrefix(shown.text, 0, text))
  }
  display.finish(index)
}
