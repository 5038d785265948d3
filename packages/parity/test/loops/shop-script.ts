import { type ContentBlock, type Script, text, thinking, toolUse, type Turn } from '@millrace/testing'

/** What the model says to each question, turn by turn. */
const answers: Readonly<Record<string, readonly Turn[]>> = {
  Hello: [{ content: [text('Hello, and welcome to the shop.')] }],
  'Where is order 17?': [
    { content: [thinking('I should look.'), text('Let me look.'), toolUse('look_up', { order: '17' })] },
    { content: [text('Order 17 is on its way.')] },
  ],
  'Charge 500 for order 17': [
    { content: [text('One moment, please.'), toolUse('charge', { cents: 500, order: '17' })] },
    { content: [text('Your card was charged, thank you.')] },
  ],
  'Charge twice': [
    {
      content: [
        text('Both at once.'),
        toolUse('charge', { order: '17', cents: 1 }),
        toolUse('charge', { order: '17', cents: 2 }),
      ],
    },
    { content: [text('And a look.'), toolUse('look_up', { order: '17' })] },
    { content: [text('All is done.')] },
  ],
  'Charge nothing': [
    { content: [toolUse('charge', { order: '17', cents: 0 })] },
    { content: [text('There was nothing to charge.')] },
  ],
}

export const questions: readonly string[] = Object.keys(answers)

/** What the loop says at the end. */
export function finalText(question: string): string {
  return String(answers[question]?.at(-1)?.content.at(-1)?.['text'])
}

/** Answers the last question of a conversation. */
export const shopScript: Script = ({ messages }) => {
  const asked = messages.findLastIndex(({ role, content }) => role === 'user' && typeof content === 'string')
  const question = String(messages[asked]?.['content'])
  const results = messages.slice(asked + 1).filter(({ content }) => blocksOf(content).some(isResult)).length
  const turn = answers[question]?.[results]
  if (turn === undefined) throw new Error(`no answer to "${question}"`)
  return turn
}

function isResult({ type }: ContentBlock): boolean {
  return type === 'tool_result'
}

function blocksOf(content: unknown): ContentBlock[] {
  return Array.isArray(content) ? content : []
}
