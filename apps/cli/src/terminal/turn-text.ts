import { printable } from './look.ts'
import type { Screen } from './screen.ts'

/** The text and thinking of one turn on a screen, by block, so that its end can be retracted. */
export interface TurnText {
  write(block: number, text: string, kind: 'text' | 'thinking'): void
  /** Retracts everything after the first `fromOffset` characters of `fromBlock`. */
  retract(fromBlock: number, fromOffset: number): void
  /** Ends the text of the turn, so that what follows begins on a line of its own. */
  end(): void
}

interface Shown {
  readonly block: number
  /** Everything that was written for the block. */
  written: string
  /** How much of it precedes the block's own text. */
  readonly lead: number
}

export function createTurnText(screen: Screen): TurnText {
  let shown: Shown[] = []
  let before: 'text' | 'thinking' | undefined

  function begin(block: number, kind: 'text' | 'thinking'): Shown {
    // Two text blocks may be halves of one sentence, as citations make them.
    const gap = before === undefined || before === kind ? '' : '\n'
    const lead = kind === 'thinking' && !screen.live ? `${gap}[thinking] ` : gap
    const entry = { block, written: lead, lead: lead.length }
    shown.push(entry)
    screen.write(lead)
    before = kind
    return entry
  }

  return {
    write(block, given, kind) {
      const text = printable(given)
      const last = shown.at(-1)
      const entry = last?.block === block ? last : begin(block, kind)
      entry.written += text
      screen.write(text, kind === 'thinking' ? 'dim' : 'text')
    },
    retract(fromBlock, fromOffset) {
      let retracted = ''
      for (const entry of shown) {
        if (entry.block < fromBlock) continue
        const keep = entry.block === fromBlock && fromOffset > 0 ? entry.lead + fromOffset : 0
        retracted += entry.written.slice(keep)
        entry.written = entry.written.slice(0, keep)
      }
      shown = shown.filter(({ written }) => written !== '')
      if (retracted !== '') screen.retract(retracted)
    },
    end() {
      screen.endText()
      shown = []
      before = undefined
    },
  }
}
