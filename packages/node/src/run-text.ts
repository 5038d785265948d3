import { type AgentEvent, MillraceError } from '@millrace/core'
import { createShownText } from '@millrace/core/reduce'

/** Yields the text of a run as it arrives, with a blank line between the texts of different turns. */
export async function* runText(events: AsyncIterable<AgentEvent>): AsyncIterable<string> {
  const shown = createShownText()
  let turn: number | undefined
  for await (const event of events) {
    const change = shown.apply(event)
    if (change?.type === 'retract' && change.text !== '') throw cannotRetract(change.turn)
    if (change?.type !== 'append') continue
    if (turn !== undefined && turn !== change.turn) yield '\n\n'
    turn = change.turn
    shown.forget(turn)
    yield change.text
  }
}

function cannotRetract(turn: number): MillraceError {
  const message = `text of turn ${turn} was retracted after it was sent; start the run with retraction "continue" or "hold"`
  return new MillraceError('cannot_retract', message)
}
