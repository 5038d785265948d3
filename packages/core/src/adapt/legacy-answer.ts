import { type ContentBlock, textOf } from '../protocol/messages.ts'
import { cutText, type TextAccess, withoutRepetition } from '../recovery/repetition.ts'
import { assistantMessage, blocksOf } from '../reduce/history.ts'
import type { LegacyAnswer } from './adapted-call.ts'

/** Returns the answer of a legacy loop, asked to go on after `said`, without the repetition of that at its beginning. */
export function withoutBeginning(answer: LegacyAnswer, said: string): LegacyAnswer {
  const text = withoutRepetition(said, answer.text)
  const cut = answer.text.length - text.length
  const [first, ...rest] = answer.messages
  if (cut === 0 || first?.role !== 'assistant') return { ...answer, text }
  const blocks = blocksOf(first)
  // A loop may give a text that its messages do not begin with.
  if (!blocks.map(textOf).join('').startsWith(answer.text.slice(0, cut))) return { ...answer, text }
  const kept = cutText(blocks, cut, inBlock)
  return { ...answer, text, messages: kept.length === 0 ? rest : [assistantMessage(kept), ...rest] }
}

const inBlock: TextAccess<ContentBlock> = {
  textIn: textOf,
  withText: (block, text) => (text === '' ? undefined : { ...block, text }),
}
