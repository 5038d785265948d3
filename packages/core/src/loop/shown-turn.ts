import type { Addition } from '../model/accumulator.ts'
import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { EventBody, RetractionReason } from '../protocol/events.ts'
import { type ContentBlock, isBlank } from '../protocol/messages.ts'
import type { ShownBlock } from '../reduce/shown-blocks.ts'
import { type BlockIdentity, identify, initialText, isCall } from './block-identity.ts'
import { createComparison } from './comparison.ts'
import { createDisplay } from './display.ts'
import { reconcile } from './reconcile.ts'

export interface ShownTurnOptions {
  readonly turn: number
  readonly emit: (event: EventBody) => void
  /** Whether shown text may be retracted. */
  readonly canRetract: boolean
  /** Show nothing before `reconcile`. */
  readonly hold: boolean
  /** What another process had shown of this turn before it died. Default: nothing. */
  readonly shown?: readonly ShownBlock[]
}

/**
 * What consumers are shown of one turn, over all its attempts. A later attempt is compared with what is shown, block by
 * block. In the end `reconcile` makes the two equal, whatever came before.
 */
export interface ShownTurn {
  begin(attempt: number, reason: RetractionReason): void
  /** Takes what an event added. Adjacent text of one block is merged until `endBatch`. */
  add(addition: Addition): void
  /** Sends what has been merged. */
  endBatch(): void
  /**
   * Shows exactly `blocks`, the ones that are kept. Shown thinking that is not kept is left where it is, and if nothing can
   * be retracted, so is everything that is not text.
   *
   * @throws MillraceError `cannot_retract`, if text would be taken away that has to stay
   */
  reconcile(blocks: readonly AccumulatedBlock[], reason: RetractionReason): void
  /** The number of the last attempt. */
  readonly attempt: number
  /** The text that is shown, as blocks that have arrived. */
  readonly texts: readonly AccumulatedBlock[]
  /** Whether anything is shown. */
  readonly hasOutput: boolean
  /** Whether any text is shown that is not blank: only such text binds a consumer that cannot retract. */
  readonly hasText: boolean
  /** Whether the attempt has, so far, only repeated what an earlier one has shown. */
  readonly repeating: boolean
}

/** A text block of which only white space has arrived. */
interface BlankBlock {
  readonly identity: BlockIdentity
  text: string
  finished: boolean
}

// oxlint-disable-next-line max-lines-per-function -- short functions over what one attempt has not shown yet
export function createShownTurn({ turn, emit, canRetract, hold, shown = [] }: ShownTurnOptions): ShownTurn {
  const display = createDisplay({ turn, emit, canRetract, shown })
  const comparison = createComparison(display)
  let blanks: BlankBlock[] = []
  let merged: { readonly type: Addition['type']; readonly index: number; text: string } | undefined
  /**
   * The input that the start event of a call holds. Fragments replace it, so it is shown only once the call has ended
   * without any: shown at once, it would have to be retracted, and with it all the text after it.
   */
  const initialInputs = new Map<number, string>()

  function showBlanks(): void {
    const waiting = blanks
    blanks = []
    for (const blank of waiting) {
      const { identity, text, finished } = blank
      if (text !== '') {
        comparison.open(identity)
        comparison.show(identity.index, text)
        if (finished) comparison.finish(identity.index)
      } else if (!finished) blanks.push(blank)
    }
  }

  /**
   * Shows the white space that has arrived, if it may be shown by itself. To a consumer that cannot retract it binds the
   * turn, for nothing: it comes with the first text that is not blank, or once the turn is whole.
   */
  function showBlanksIfFree(): void {
    if (blanks.length > 0 && (canRetract || display.hasText)) showBlanks()
  }

  function show(index: number, text: string): void {
    const blank = blanks.find(({ identity }) => identity.index === index)
    if (blank === undefined) return comparison.show(index, text)
    blank.text += text
    if (!isBlank(blank.text)) showBlanks()
  }

  function start(index: number, block: ContentBlock): void {
    const identity = identify(index, block)
    const initial = initialText(block)
    showBlanksIfFree()
    if (identity.kind === 'text') blanks.push({ identity, text: '', finished: false })
    else comparison.open(identity)
    if (isCall(identity.kind)) initialInputs.set(index, initial)
    else show(index, initial)
  }

  function finish(index: number): void {
    const blank = blanks.find(({ identity }) => identity.index === index)
    if (blank !== undefined) {
      blank.finished = true
      return showBlanksIfFree()
    }
    const initialInput = initialInputs.get(index)
    initialInputs.delete(index)
    // A call without arguments is shown as one with an empty object, whether its JSON was sent or not.
    if (initialInput !== undefined) comparison.show(index, initialInput)
    comparison.finish(index)
  }

  function sendMerged(): void {
    if (merged === undefined) return
    const { index, text } = merged
    merged = undefined
    show(index, text)
  }

  function begin(attempt: number, why: RetractionReason): void {
    display.begin(attempt, why)
    comparison.begin()
    blanks = []
    merged = undefined
    initialInputs.clear()
  }

  return {
    begin,
    add(addition) {
      if (hold) return
      const { type, index } = addition
      if (type === 'started' || type === 'finished') sendMerged()
      if (type === 'started') start(index, addition.block)
      else if (type === 'finished') finish(index)
      else {
        if (type === 'input') initialInputs.delete(index)
        if (merged?.index !== index) sendMerged()
        merged = { type, index, text: (merged?.text ?? '') + addition.text }
      }
    },
    endBatch: sendMerged,
    reconcile(blocks, why) {
      begin(display.attempt, why)
      reconcile(display, blocks)
    },
    get attempt() {
      return display.attempt
    },
    get texts() {
      return display.blocks.flatMap(({ block: index, kind, text, open }): AccumulatedBlock[] =>
        kind === 'text' ? [{ index, kind, text, finished: !open, block: { type: kind, text }, validInput: true }] : [],
      )
    },
    get hasOutput() {
      return display.blocks.length > 0
    },
    get hasText() {
      return display.hasText
    },
    get repeating() {
      return comparison.repeating
    },
  }
}
