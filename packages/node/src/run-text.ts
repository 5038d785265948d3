import { type AgentEvent, MillraceError } from '@millrace/core'

/** The text of a run as it is said; a blank line between texts that a tool call divides. */
export async function* runText(events: AsyncIterable<AgentEvent>): AsyncIterable<string> {
  const shown = new Map<number, number>()
  let turn = 0
  let hasText = false
  for await (const event of events) {
    if (event.type === 'turn.retracted' && event.turn === turn) {
      for (const [block, length] of shown) {
        const kept = block < event.fromBlock ? length : block === event.fromBlock ? event.fromOffset : 0
        if (length > kept) throw cannotRetract(turn)
      }
    }
    if (event.type !== 'text.delta') continue
    if (event.turn !== turn) {
      shown.clear()
      if (hasText) yield '\n\n'
    }
    turn = event.turn
    hasText = true
    shown.set(event.block, (shown.get(event.block) ?? 0) + event.text.length)
    yield event.text
  }
}

function cannotRetract(turn: number): MillraceError {
  return new MillraceError(
    'cannot_retract',
    `Text of turn ${turn} was withdrawn after it was sent. Start the run with retraction 'continue' or 'hold'.`,
  )
}
