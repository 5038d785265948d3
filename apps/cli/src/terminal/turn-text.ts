import { printable } from './look.ts'
import type { Screen } from './screen.ts'

/** The text and thinking of one turn on a screen, by block, so that the end of it can be taken back. */
export interface TurnText {
  write(block: number, text: string, kind: 'text' | 'thinking'): void
  /** Takes back all that is behind the first `fromOffset` characters of `fromBlock`. */
  withdraw(fromBlock: number, fromOffset: number): void
  /** The turn is over, or its text is: what follows begins on a line of its own. */
  end(): void
}

interface Shown {
  readonly block: number
  /** All that was written for the block. */
  written: string
  /** The part of it that stands before the block's own text. */
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
    withdraw(fromBlock, fromOffset) {
      let withdrawn = ''
      for (const entry of shown) {
        if (entry.block < fromBlock) continue
        const keep = entry.block === fromBlock && fromOffset > 0 ? entry.lead + fromOffset : 0
        withdrawn += entry.written.slice(keep)
        entry.written = entry.written.slice(0, keep)
      }
      shown = shown.filter(({ written }) => written !== '')
      if (withdrawn !== '') screen.withdraw(withdrawn)
    },
    end() {
      screen.endText()
      shown = []
      before = undefined
    },
  }
}
