import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { Addition } from '../model/accumulator.ts'
import { cannotRetract } from '../recovery/ladder.ts'
import { checksum, type EventBody, type RetractionReason } from '../protocol/events.ts'
import { type ContentBlock, isBlank } from '../protocol/messages.ts'
import { type BlockIdentity, emptyInput, identify, initialText, isCall } from './block-identity.ts'

export interface TurnViewOptions {
  readonly turn: number
  readonly emit: (event: EventBody) => void
  /** Whether shown text may be withdrawn. */
  readonly canRetract: boolean
  /** Show nothing before `settle`. */
  readonly hold: boolean
  /** What another process had shown of this turn before it died. */
  readonly shown: readonly (ShownBlock | undefined)[] | undefined
}

/**
 * What clients have been shown of one turn, over all its attempts. A later attempt is compared with that, block by
 * block, and held back while it only repeats it; where it goes on, it simply goes on; at the first difference the rest
 * is withdrawn. `settle` makes what is shown equal to what history holds, whatever came before.
 */
export interface TurnView {
  begin(attempt: number, reason: RetractionReason): void
  /** Takes what an event added. Adjacent text of one block is merged until `flush`. */
  add(addition: Addition): void
  flush(): void
  /**
   * Shows exactly `blocks`, the ones that history keeps. Shown thinking that history drops is left where it stands, and
   * where nothing can be withdrawn, so is all that is not text.
   */
  settle(blocks: readonly AccumulatedBlock[], reason: RetractionReason): void
  /** The number of the last attempt. */
  readonly attempt: number
  /** The text that is shown, as blocks that have arrived. */
  readonly texts: readonly AccumulatedBlock[]
  /** Whether anything is shown. */
  readonly hasOutput: boolean
  /** Whether any text is shown. */
  readonly hasText: boolean
  /** Whether the attempt has, so far, only repeated what an earlier one has shown. */
  readonly repeating: boolean
}

export interface ShownBlock extends BlockIdentity {
  text: string
  finished: boolean
}

// oxlint-disable-next-line max-lines-per-function -- short functions over what one turn has shown
export function createTurnView({ turn, emit, canRetract, hold, shown: before = [] }: TurnViewOptions): TurnView {
  /** By block index. A block of blank text has no entry: history holds none either. */
  let shown: (ShownBlock | undefined)[] = [...before]
  let attempt = 0
  let reason: RetractionReason = 'connection_lost'
  /** Comparing with what an earlier attempt has shown, and equal so far. */
  let repeating = false
  /** The shown blocks before this index have been repeated. */
  let cursor = 0
  /** How much of the text of the current block has been repeated. */
  let repeated = 0
  /** The current text block while all its text is blank. */
  let blank: { readonly identity: BlockIdentity; text: string } | undefined
  let merged: { readonly index: number; text: string } | undefined
  /**
   * The input that the start event of a call holds. Fragments replace it, so it is shown only once the call has ended
   * without any: shown at once, it would have to be retracted, and with it all the text after it.
   */
  const initialInputs = new Map<number, string>()

  function send(block: ShownBlock, text: string): void {
    if (text === '') return
    block.text += text
    const at = { turn, attempt, block: block.index }
    if (block.kind === 'text') emit({ type: 'text.delta', ...at, text })
    else if (block.kind === 'thinking') emit({ type: 'thinking.delta', ...at, text })
    else emit({ type: 'tool.input', ...at, toolUseId: block.toolUseId, name: block.name, json: text })
  }

  function start(identity: BlockIdentity): ShownBlock {
    const block = { ...identity, text: '', finished: false }
    shown[identity.index] = block
    emit({ type: 'block.started', turn, attempt, block: identity.index, kind: identity.kind })
    return block
  }

  function retract(fromBlock: number, fromOffset: number): void {
    const losesText = shown.some(
      (block) =>
        block?.kind === 'text' &&
        (block.index > fromBlock || (block.index === fromBlock && fromOffset < block.text.length)),
    )
    if (losesText && !canRetract) throw cannotRetract()
    const kept = fromOffset > 0 ? shown[fromBlock] : undefined
    shown = shown.slice(0, fromBlock)
    if (kept !== undefined) shown[fromBlock] = { ...kept, text: kept.text.slice(0, fromOffset), finished: false }
    repeating = false
    emit({ type: 'turn.retracted', turn, attempt, fromBlock, fromOffset, reason })
  }

  /** The first block shown at or after `from` and before `to` that must not stay there. */
  function stale(from: number, to: number, settling: boolean): ShownBlock | undefined {
    const mayStay = (kind: string): boolean => kind.endsWith('thinking') || (!canRetract && kind !== 'text')
    return shown.slice(from, to).find((block) => block !== undefined && !(settling && mayStay(block.kind)))
  }

  function open(identity: BlockIdentity, settling = false): void {
    const { index, kind, toolUseId } = identity
    if (repeating) {
      const skipped = stale(cursor, index, settling)
      const before = shown[index]
      cursor = index + 1
      repeated = 0
      if (skipped !== undefined) retract(skipped.index, 0)
      else if (before?.kind === kind && before.toolUseId === toolUseId) return
      else if (shown.length > index) retract(index, 0)
      repeating = false
    }
    start(identity)
  }

  function show(index: number, text: string): void {
    const block = shown[index]
    if (block === undefined) return
    if (!repeating) {
      send(block, text)
      return
    }
    const same = commonPrefix(block.text, repeated, text)
    repeated += same
    if (same < text.length) diverge(block, text.slice(same))
  }

  /** Attempt and shown text part ways: withdraws what is shown beyond that point, and sends `text` instead. */
  function diverge(block: ShownBlock, text: string): void {
    const isLast = shown.length === block.index + 1
    // Text is appended to the last block alone, since text is read in order. The order of anything else does not matter,
    // and retracting it would retract the text of the blocks after it.
    if (repeated === block.text.length && !block.finished && (isLast || block.kind !== 'text')) {
      repeating = !isLast
      send(block, text)
      repeated = block.text.length
      return
    }
    // Thinking belongs to its signature as a whole, and the halves of a surrogate pair belong together.
    const keep = block.kind === 'text' ? beforeHalfPair(block.text, repeated) : 0
    const resent = block.text.slice(keep, repeated) + text
    retract(block.index, keep)
    send(shown[block.index] ?? start(block), resent)
  }

  function finish(index: number): void {
    if (blank?.identity.index === index) blank = undefined
    const block = shown[index]
    if (block === undefined) return
    const initialInput = initialInputs.get(index) ?? ''
    initialInputs.delete(index)
    if (initialInput !== '') show(index, initialInput)
    else if (isCall(block.kind) && block.text === '') show(index, '{}')
    if (repeating && repeated < block.text.length) diverge(block, '')
    const { finished = true, kind = '', text = '' } = shown[index] ?? {}
    if (finished) return
    shown[index] = { ...block, text, finished: true }
    emit({ type: 'block.finished', turn, attempt, block: index, kind, length: text.length, checksum: checksum(text) })
  }

  /** A text block opens with its first character that is not blank. */
  function showText(index: number, text: string): void {
    if (blank?.identity.index !== index) {
      show(index, text)
      return
    }
    blank.text += text
    if (isBlank(text)) return
    const { identity, text: all } = blank
    blank = undefined
    open(identity)
    show(index, all)
  }

  function startBlock(index: number, block: ContentBlock): void {
    const identity = identify(index, block)
    if (identity.kind === 'text') blank = { identity, text: '' }
    else open(identity)
    const initial = initialText(block)
    if (isCall(identity.kind)) initialInputs.set(index, initial)
    else showText(index, initial)
  }

  function flush(): void {
    if (merged === undefined) return
    const { index, text } = merged
    merged = undefined
    showText(index, text)
  }

  function compare(): void {
    repeating = shown.length > 0
    cursor = 0
    repeated = 0
    blank = undefined
    merged = undefined
    initialInputs.clear()
  }

  return {
    begin(nextAttempt, why) {
      attempt = nextAttempt
      reason = why
      compare()
    },
    add(addition) {
      if (hold) return
      switch (addition.type) {
        case 'started':
          flush()
          startBlock(addition.index, addition.block)
          break
        case 'finished':
          flush()
          finish(addition.index)
          break
        case 'text':
        case 'thinking':
        case 'input':
          initialInputs.delete(addition.index)
          if (merged !== undefined && merged.index !== addition.index) flush()
          merged = { index: addition.index, text: (merged?.text ?? '') + addition.text }
          break
      }
    },
    flush,
    settle(blocks, why) {
      flush()
      reason = why
      compare()
      for (const { index, block, text } of blocks) {
        const final = text === '' ? initialText(block) || emptyInput(block) : text
        if (block.type === 'text' && isBlank(final)) continue
        open(identify(index, block), true)
        show(index, final)
        finish(index)
      }
      const end = (blocks.at(-1)?.index ?? -1) + 1
      const rest = stale(end, shown.length, true)
      if (rest !== undefined) retract(rest.index, 0)
      repeating = false
      for (const left of shown) if (left !== undefined) finish(left.index)
    },
    get attempt() {
      return attempt
    },
    get texts() {
      return shown.flatMap((block): AccumulatedBlock[] => {
        if (block?.kind !== 'text') return []
        const { index, kind, text, finished } = block
        return [{ index, kind, text, finished, block: { type: kind, text }, validInput: true }]
      })
    },
    get hasOutput() {
      return shown.length > 0
    },
    get hasText() {
      return shown.some((block) => block?.kind === 'text')
    },
    get repeating() {
      return repeating
    },
  }
}

function beforeHalfPair(text: string, offset: number): number {
  const code = text.charCodeAt(offset - 1)
  return code >= 0xd800 && code <= 0xdbff ? offset - 1 : offset
}

function commonPrefix(shown: string, from: number, text: string): number {
  if (shown.startsWith(text, from)) return text.length
  let same = 0
  while (same < text.length && shown.charCodeAt(from + same) === text.charCodeAt(same)) same++
  return same
}
