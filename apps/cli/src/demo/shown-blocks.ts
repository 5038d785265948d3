import {
  type AgentEvent,
  type BlockPlace,
  checksum,
  type TextDelta,
  type ThinkingDelta,
  type ToolInput,
} from '@millrace/core'
import { createShownText } from '@millrace/core/reduce'

/** The content blocks that a client shows. */
export interface ShownBlocks {
  see(event: AgentEvent): void
  readonly retractions: number
  /** Blocks whose length and checksum were compared. */
  readonly verified: number
  readonly problems: readonly string[]
  /** The text of each text block, in order. */
  texts(): readonly string[]
}

/** Follows what is shown, and compares each finished block with its length and checksum. */
export function createShownBlocks(): ShownBlocks {
  const shown = createShownText()
  const problems: string[] = []
  let retractions = 0
  let verified = 0

  function verify({ turn, block, length, checksum: sum }: Extract<AgentEvent, { type: 'block.finished' }>): void {
    verified++
    const text = shown.blocks(turn).find((each) => each.block === block)?.text
    if (text !== undefined && text.length === length && checksum(text) === sum) return
    problems.push(`block ${block} of turn ${turn} has ${text?.length ?? 'no'} characters, expected ${length}`)
  }

  const isOpen = ({ turn, block }: BlockPlace): boolean =>
    shown.blocks(turn).some((each) => each.block === block && each.open)

  return {
    see(event) {
      if (isDelta(event) && !isOpen(event)) {
        problems.push(`received a delta for block ${event.block} of turn ${event.turn}, which is not open`)
      }
      const change = shown.apply(event)
      if (change?.type === 'retract') retractions++
      if (event.type === 'block.finished') verify(event)
    },
    get retractions() {
      return retractions
    },
    get verified() {
      return verified
    },
    problems,
    texts: () =>
      shown.turns.flatMap((turn) => shown.blocks(turn).flatMap(({ kind, text }) => (kind === 'text' ? [text] : []))),
  }
}

function isDelta(event: AgentEvent): event is Extract<AgentEvent, TextDelta | ThinkingDelta | ToolInput> {
  return event.type === 'text.delta' || event.type === 'thinking.delta' || event.type === 'tool.input'
}
