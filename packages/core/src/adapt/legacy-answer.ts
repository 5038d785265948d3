import { type ContentBlock, type Message, textOf } from '../protocol/messages.ts'
import { withoutRepetition } from '../recovery/repetition.ts'
import { assistantMessage, blocksOf } from '../reduce/history.ts'
import type { LegacyAnswer } from './adapted-call.ts'

/** Returns the answer of a legacy loop, asked to go on after `said`, without the repetition of that at its beginning. */
export function withoutBeginning(answer: LegacyAnswer, said: string): LegacyAnswer {
  const text = withoutRepetition(said, answer.text)
  const cut = answer.text.length - text.length
  if (cut === 0) return answer
  const [first, ...rest] = answer.messages
  const messages =
    first?.role === 'assistant' ? [...withoutText(first, answer.text.slice(0, cut)), ...rest] : answer.messages
  return { ...answer, text, messages }
}

/** Returns the message without `beginning`, if its text begins with that; nothing if nothing is left. */
function withoutText(message: Message, beginning: string): readonly Message[] {
  const blocks = blocksOf(message)
  if (!blocks.map(textOf).join('').startsWith(beginning)) return [message]
  let left = beginning.length
  const kept = blocks.flatMap((block): ContentBlock[] => {
    const text = textOf(block)
    const cut = Math.min(left, text.length)
    left -= cut
    if (cut === 0) return [block]
    return cut === text.length ? [] : [{ ...block, text: text.slice(cut) }]
  })
  return kept.length === 0 ? [] : [assistantMessage(kept)]
}
