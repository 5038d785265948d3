import { type Answer, completeTurn } from '../script/answer.ts'
import { readConversation } from '../script/conversation.ts'
import type { Quirk } from '../faults/fault.ts'
import { jobModel, type Layout, playLayout } from './layout.ts'
import { faultedAnswer, faultedPlan } from '../server/apply-fault.ts'
import type { StreamEvent } from '../stream/sse.ts'

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

/** More turns than any layout has. A layout that never ends has a mistake, and must not run forever. */
const turnLimit = 10

/** Returns the turns of a layout, played without a server and without faults. */
export function layoutTurns(layout: Layout): readonly LayoutTurn[] {
  const { script, productions } = playLayout(layout)
  const model = jobModel
  const messages: unknown[] = [{ role: 'user', content: layout.question }]
  const turns: LayoutTurn[] = []
  while (productions.at(-1)?.isFinal !== true && turns.length < turnLimit) {
    const turn = script(readConversation({ model, messages }, 1))
    // Redacted data is made of it: it must be as long as the server's, or every offset would be wrong.
    const nonce = `1.${turns.length}`
    const completed = completeTurn(turn, { model, inputTokens: 100, nonce, chunking: 'words' })
    const { quirks = [] } = turn
    const answer = faultedAnswer(completed, quirks)
    turns.push({ turn: turns.length + 1, ...streamOf(answer, quirks) })
    messages.push({ role: 'assistant', content: answer.content })
    const results = toolResults(layout, answer)
    if (results.length > 0) messages.push({ role: 'user', content: results })
  }
  return turns
}

/** Returns the stream of an answer with its quirks. */
function streamOf(answer: Answer, quirks: readonly Quirk[]): Omit<LayoutTurn, 'turn'> {
  const events: StreamEvent[] = []
  const offsets: number[] = []
  let bytes = 0
  for (const step of faultedPlan(answer, quirks, { stream: true, pace: 'fast', requestId: '' }).steps) {
    if (step.type !== 'bytes') continue
    if (step.event !== undefined) {
      events.push(step.event)
      offsets.push(bytes)
    }
    bytes += step.bytes.length
  }
  return { events, offsets, bytes }
}

function toolResults(layout: Layout, answer: Answer): readonly unknown[] {
  return answer.content
    .filter((block) => block.type === 'tool_use')
    .map((block) => {
      const tool = layout.tools.find(({ name }) => name === block.name)
      return { type: 'tool_result', tool_use_id: block.id, content: tool?.result ?? '' }
    })
}
