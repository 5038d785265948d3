import { type AgentEvent, checksum } from '@millrace/core'
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

  return {
    see(event) {
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
