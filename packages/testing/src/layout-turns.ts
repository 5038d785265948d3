import { type Answer, completeTurn } from './answer.ts'
import { readConversation } from './conversation.ts'
import { jobModel } from './job.ts'
import { type Layout, playLayout } from './layout.ts'
import { frame } from './response-plan.ts'
import { type StreamEvent, streamEvents } from './stream-events.ts'

/** One turn of a layout's run without faults, as it is streamed. */
export interface LayoutTurn {
  /** 1-based, as the server counts turns. */
  readonly turn: number
  readonly events: readonly StreamEvent[]
  /** Where each event begins in the body, in bytes. */
  readonly offsets: readonly number[]
  /** The length of its body in bytes. */
  readonly bytes: number
}

/** More turns than any layout has: a layout that never ends is a mistake in it. */
const turnLimit = 10

/** Plays a layout without a server and without faults. */
export function layoutTurns(layout: Layout): readonly LayoutTurn[] {
  const { script, productions } = playLayout(layout)
  const model = jobModel
  const messages: unknown[] = [{ role: 'user', content: layout.question }]
  const turns: LayoutTurn[] = []
  while (productions.at(-1)?.isFinal !== true && turns.length < turnLimit) {
    const turn = script(readConversation({ model, messages }, 1))
    // As long as the server's own, of which redacted data is made.
    const nonce = `1.${turns.length}`
    const answer = completeTurn(turn, { model, inputTokens: 100, nonce, chunking: 'words' })
    const events = [...streamEvents(answer)]
    let bytes = 0
    const offsets = events.map((event) => {
      const start = bytes
      bytes += Buffer.byteLength(frame(event))
      return start
    })
    turns.push({ turn: turns.length + 1, events, offsets, bytes })
    messages.push({ role: 'assistant', content: answer.content })
    const results = toolResults(layout, answer)
    if (results.length > 0) messages.push({ role: 'user', content: results })
  }
  return turns
}

function toolResults(layout: Layout, answer: Answer): readonly unknown[] {
  return answer.content
    .filter((block) => block.type === 'tool_use')
    .map((block) => {
      const tool = layout.tools.find(({ name }) => name === block.name)
      return { type: 'tool_result', tool_use_id: block.id, content: tool?.result ?? '' }
    })
}
