import type { AgentEvent } from '../../src/index.ts'

/** What a client shows, reduced from events by the words of their documentation alone. */
export function createScreen(): { take(event: AgentEvent): void; text(): string } {
  const turns = new Map<number, Map<number, string>>()
  const turnOf = (turn: number): Map<number, string> => {
    const blocks = turns.get(turn) ?? new Map<number, string>()
    turns.set(turn, blocks)
    return blocks
  }
  return {
    take(event) {
      if (event.type === 'text.delta') {
        const blocks = turnOf(event.turn)
        blocks.set(event.block, (blocks.get(event.block) ?? '') + event.text)
      }
      if (event.type === 'turn.retracted') {
        const blocks = turnOf(event.turn)
        for (const [block, text] of blocks) {
          if (block > event.fromBlock) blocks.delete(block)
          if (block === event.fromBlock) blocks.set(block, text.slice(0, event.fromOffset))
        }
      }
    },
    text: () =>
      [...turns]
        .toSorted(([a], [b]) => a - b)
        .flatMap(([, blocks]) => [...blocks].toSorted(([a], [b]) => a - b).map(([, text]) => text))
        .join(''),
  }
}
