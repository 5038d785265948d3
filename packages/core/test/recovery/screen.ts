import { type AgentEvent, checksum, type Message } from '../../src/index.ts'

interface ShownBlock {
  readonly kind: string
  text: string
}

/** What a client has before it, reduced from events by the words of their documentation alone. */
export interface Screen {
  take(event: AgentEvent): void
  /** The text of one turn, or of all turns. */
  text(turn?: number): string
  /** What no client could make sense of: a delta without its block, a length or a checksum that is not that of the text. */
  readonly problems: readonly string[]
}

export function createScreen(): Screen {
  const turns = new Map<number, Map<number, ShownBlock>>()
  const problems: string[] = []

  function blocksOf(turn: number): Map<number, ShownBlock> {
    const blocks = turns.get(turn) ?? new Map<number, ShownBlock>()
    turns.set(turn, blocks)
    return blocks
  }

  function append({ turn, block, seq }: { turn: number; block: number; seq: number }, text: string): void {
    const shown = blocksOf(turn).get(block)
    if (shown === undefined) problems.push(`event ${seq} adds to a block that was not started`)
    else shown.text += text
  }

  function retract({ turn, fromBlock, fromOffset, seq }: Extract<AgentEvent, { type: 'turn.retracted' }>): void {
    const blocks = blocksOf(turn)
    for (const index of blocks.keys()) {
      if (index > fromBlock || (index === fromBlock && fromOffset === 0)) blocks.delete(index)
    }
    const cut = blocks.get(fromBlock)
    if (cut !== undefined && cut.text.length < fromOffset) problems.push(`event ${seq} keeps more than there is`)
    if (cut !== undefined) cut.text = cut.text.slice(0, fromOffset)
  }

  return {
    problems,
    take(event) {
      switch (event.type) {
        case 'block.started':
          if (blocksOf(event.turn).has(event.block)) problems.push(`event ${event.seq} starts a block again`)
          blocksOf(event.turn).set(event.block, { kind: event.kind, text: '' })
          break
        case 'text.delta':
        case 'thinking.delta':
          append(event, event.text)
          break
        case 'tool.input':
          append(event, event.json)
          break
        case 'turn.retracted':
          retract(event)
          break
        case 'block.finished': {
          const { text = '' } = blocksOf(event.turn).get(event.block) ?? {}
          if (text.length !== event.length) problems.push(`event ${event.seq} has another length than the text`)
          if (checksum(text) !== event.checksum) problems.push(`event ${event.seq} has another checksum than the text`)
          break
        }
        default:
          break
      }
    },
    text: (turn) =>
      [...turns]
        .filter(([number]) => turn === undefined || number === turn)
        .toSorted(([a], [b]) => a - b)
        .flatMap(([, blocks]) => [...blocks].toSorted(([a], [b]) => a - b).map(([, block]) => block))
        .map(({ kind, text }) => (kind === 'text' ? text : ''))
        .join(''),
  }
}

export function screenOf(events: readonly AgentEvent[]): Screen {
  const screen = createScreen()
  for (const event of events) screen.take(event)
  return screen
}

/** The text of all assistant messages, as history holds it. */
export function historyText(messages: readonly Message[]): string {
  return messages
    .filter(({ role }) => role === 'assistant')
    .flatMap(({ content }) => (typeof content === 'string' ? [] : content))
    .map((block) => (block.type === 'text' ? block.text : ''))
    .join('')
}
