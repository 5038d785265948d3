import { applyToBlocks, type BlockEvent, type ShownBlock } from '@millrace/core/reduce'
import { printable } from './look.ts'
import type { Screen } from './screen.ts'

/** The text and thinking of one turn on a screen. */
export interface TurnText {
  /** Shows what an event adds to the turn, or retracts what it takes away. */
  see(event: BlockEvent): void
  /** Ends the text of the turn, so that what follows begins on a line of its own. */
  end(): void
}

export function createTurnText(screen: Screen): TurnText {
  let blocks: ShownBlock[] = []

  /** Returns what is written before the text of a block. Text blocks may be halves of one sentence, so they have no gap. */
  function leadOf({ kind }: ShownBlock, previous: ShownBlock | undefined): string {
    const gap = previous === undefined || previous.kind === kind ? '' : '\n'
    return kind === 'thinking' && !screen.live ? `${gap}[thinking] ` : gap
  }

  const said = (): ShownBlock[] =>
    blocks.filter(({ kind, text }) => text !== '' && (kind === 'text' || isThinking(kind)))

  const written = (): string => {
    const all = said()
    return all.map((block, index) => leadOf(block, all[index - 1]) + printable(block.text)).join('')
  }

  function append(block: number, text: string): void {
    const [previous, current] = said().slice(-2)
    const last = current ?? previous
    // The block has just begun if it holds this text and no more.
    if (last?.block === block && last.text === text) {
      screen.write(leadOf(last, current === undefined ? undefined : previous))
    }
    screen.write(printable(text), last !== undefined && isThinking(last.kind) ? 'dim' : 'text')
  }

  return {
    see(event) {
      const before = event.type === 'turn.retracted' ? written() : ''
      applyToBlocks(blocks, event)
      if (event.type === 'turn.retracted') {
        const retracted = before.slice(written().length)
        if (retracted !== '') screen.retract(retracted)
      } else if ((event.type === 'text.delta' || event.type === 'thinking.delta') && event.text !== '') {
        append(event.block, event.text)
      }
    },
    end() {
      screen.endText()
      blocks = []
    },
  }
}

function isThinking(kind: string): boolean {
  return kind === 'thinking'
}
