import { checksum, type EventBody, type RetractionReason } from '../protocol/events.ts'
import { isBlank } from '../protocol/messages.ts'
import { cannotRetract } from '../recovery/ladder.ts'
import { applyToBlocks, type BlockEvent, positionOf, type ShownBlock } from '../reduce/shown-blocks.ts'
import { type BlockIdentity, isCall } from './block-identity.ts'
import { beforeHalfPair } from './common-prefix.ts'

export interface DisplayOptions {
  readonly turn: number
  readonly emit: (event: EventBody) => void
  /** Whether shown text may be retracted. */
  readonly canRetract: boolean
  /** What another process had shown of this turn before it died. */
  readonly shown: readonly ShownBlock[]
}

/** Sends the block events of one turn, and knows what they add up to. */
export interface Display {
  /** The shown blocks, in the order of their index. */
  readonly blocks: readonly ShownBlock[]
  readonly canRetract: boolean
  /** The number of the last attempt. */
  readonly attempt: number
  /** Whether any text is shown that is not blank. */
  readonly hasText: boolean
  /** From now on events belong to this attempt; `reason` is why the attempt before it may be retracted. */
  begin(attempt: number, reason: RetractionReason): void
  /** Returns the block with this index, if it is shown. */
  at(index: number): ShownBlock | undefined
  /** Returns the first shown block with an index of at least `from` and, if given, less than `to`. */
  next(from: number, to?: number): ShownBlock | undefined
  /** Whether a retraction would take text away. */
  losesText(fromBlock: number, fromOffset: number): boolean
  /** Says what the block with this index is in the current attempt. */
  adopt(block: BlockIdentity): void
  start(block: BlockIdentity): void
  append(index: number, text: string): void
  /** Ends a block, unless it has ended. */
  finish(index: number): void
  /** @throws MillraceError `cannot_retract`, if text would be taken away that has to stay */
  retract(fromBlock: number, fromOffset: number): void
  /**
   * Shows `text` in place of what is shown of the block, which begins with the same `same` UTF-16 code units. Throws as
   * `retract` does.
   */
  replace(index: number, text: string, same: number): void
}

export function createDisplay({ turn, emit, canRetract, shown }: DisplayOptions): Display {
  const blocks = [...shown]
  const identities = new Map<number, BlockIdentity>()
  let attempt = 0
  let reason: RetractionReason = 'connection_lost'

  function send(event: BlockEvent): void {
    applyToBlocks(blocks, event)
    emit(event)
  }

  const next = (from: number, to = Infinity): ShownBlock | undefined => {
    const found = blocks[positionOf(blocks, from)]
    return found !== undefined && found.block < to ? found : undefined
  }
  const at = (index: number): ShownBlock | undefined => next(index, index + 1)
  const losesText: Display['losesText'] = (fromBlock, fromOffset) =>
    blocks
      .slice(positionOf(blocks, fromBlock))
      .some(({ kind, block, text }) => kind === 'text' && (block > fromBlock || fromOffset < text.length))

  function identityOf(index: number): BlockIdentity {
    const { kind = '', toolUseId = '', name = '' }: Partial<ShownBlock> = at(index) ?? {}
    return identities.get(index) ?? { index, kind, toolUseId, name }
  }

  function append(index: number, text: string): void {
    if (text === '') return
    const place = { turn, attempt, block: index }
    const { kind, toolUseId, name } = identityOf(index)
    if (kind === 'text') send({ type: 'text.delta', ...place, text })
    else if (kind === 'thinking') send({ type: 'thinking.delta', ...place, text })
    else send({ type: 'tool.input', ...place, toolUseId, name, json: text })
  }

  function start(block: BlockIdentity): void {
    identities.set(block.index, block)
    send({ type: 'block.started', turn, attempt, block: block.index, kind: block.kind })
  }

  function retract(fromBlock: number, fromOffset: number): void {
    if (!canRetract && losesText(fromBlock, fromOffset)) throw cannotRetract()
    send({ type: 'turn.retracted', turn, attempt, fromBlock, fromOffset, reason })
  }

  return {
    blocks,
    canRetract,
    get attempt() {
      return attempt
    },
    get hasText() {
      return blocks.some(({ kind, text }) => kind === 'text' && !isBlank(text))
    },
    begin(nextAttempt, why) {
      if (nextAttempt !== attempt) identities.clear()
      attempt = nextAttempt
      reason = why
    },
    at,
    next,
    losesText,
    adopt: (block) => void identities.set(block.index, block),
    start,
    append,
    finish(index) {
      const shown = at(index)
      if (shown === undefined || !shown.open) return
      // A call that was cut before its input, and stays where nothing can be retracted. Its JSON must be readable.
      if (isCall(shown.kind) && shown.text === '' && identities.has(index)) append(index, '{}')
      const { kind, text } = at(index) ?? shown
      const { length } = text
      send({ type: 'block.finished', turn, attempt, block: index, kind, length, checksum: checksum(text) })
    },
    retract,
    replace(index, text, same) {
      const block = identityOf(index)
      // Thinking belongs to its signature as a whole, and the halves of a surrogate pair belong together.
      const keep = block.kind === 'text' ? beforeHalfPair(text, same) : 0
      retract(index, keep)
      if (keep === 0) start(block)
      append(index, text.slice(keep))
    },
  }
}
