import { type AgentEvent, checksum } from '@millrace/core'

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

interface Block {
  readonly kind: string
  text: string
}

/** Applies deltas and retractions, and compares each finished block with its length and checksum. */
export function createShownBlocks(): ShownBlocks {
  const turns = new Map<number, Map<number, Block>>()
  const problems: string[] = []
  let retractions = 0
  let verified = 0

  function append(turn: number, index: number, text: string): void {
    const block = turns.get(turn)?.get(index)
    if (block === undefined) problems.push(`received a delta for block ${index} of turn ${turn}, which is not open`)
    else block.text += text
  }

  function retract({ turn, fromBlock, fromOffset }: Extract<AgentEvent, { type: 'turn.retracted' }>): void {
    retractions++
    const blocks = turns.get(turn) ?? new Map<number, Block>()
    for (const [index, block] of blocks) {
      if (index > fromBlock || (index === fromBlock && fromOffset === 0)) blocks.delete(index)
      else if (index === fromBlock) block.text = block.text.slice(0, fromOffset)
    }
  }

  function verify({ turn, block, length, checksum: sum }: Extract<AgentEvent, { type: 'block.finished' }>): void {
    verified++
    const text = turns.get(turn)?.get(block)?.text
    if (text !== undefined && text.length === length && checksum(text) === sum) return
    problems.push(`block ${block} of turn ${turn} has ${text?.length ?? 'no'} characters, expected ${length}`)
  }

  return {
    see(event) {
      switch (event.type) {
        case 'block.started': {
          const blocks = turns.get(event.turn) ?? new Map<number, Block>()
          turns.set(event.turn, blocks.set(event.block, { kind: event.kind, text: '' }))
          break
        }
        case 'text.delta':
        case 'thinking.delta':
          append(event.turn, event.block, event.text)
          break
        case 'tool.input':
          append(event.turn, event.block, event.json)
          break
        case 'block.finished':
          verify(event)
          break
        case 'turn.retracted':
          retract(event)
          break
        default:
      }
    },
    get retractions() {
      return retractions
    },
    get verified() {
      return verified
    },
    problems,
    texts: () =>
      [...turns.values()].flatMap((blocks) =>
        [...blocks].sort(([a], [b]) => a - b).flatMap(([, { kind, text }]) => (kind === 'text' ? [text] : [])),
      ),
  }
}
