import { type ContentBlock, type Script, text, thinking, toolUse, type Turn } from '@millrace/testing'

/** What the tools of all three loops act on. */
export interface Shop {
  readonly lookUps: string[]
  readonly charges: { readonly order: string; readonly cents: number }[]
  lookUp(order: string): Promise<string>
  charge(order: string, cents: number): Promise<string>
}

export function openShop(): Shop {
  const lookUps: string[] = []
  const charges: { readonly order: string; readonly cents: number }[] = []
  return {
    lookUps,
    charges,
    lookUp(order) {
      lookUps.push(order)
      return Promise.resolve(`Order ${order} is on its way`)
    },
    charge(order, cents) {
      charges.push({ order, cents })
      return Promise.resolve(`Charged ${cents} for ${order}`)
    },
  }
}

export const lookUpDescription = { name: 'look_up', description: 'Looks up an order' }
export const chargeDescription = { name: 'charge', description: 'Charges the card' }

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
        toolUse('charge', { order: '17', cents: 1 }),
      ],
    },
    { content: [text('And a look.'), toolUse('look_up', { order: '17' })] },
    { content: [text('All is done.')] },
  ],
}

export const questions = {
  hello: 'Hello',
  lookUp: 'Where is order 17?',
  charge: 'Charge 500 for order 17',
  chargeTwice: 'Charge twice',
  unknown: 'What the script has no answer for',
} as const

/** The texts of an answer, one after the other. */
export function wholeText(question: string): string {
  return (answers[question] ?? []).flatMap(({ content }) => content.map(textOf)).join('')
}

/** The text after the last tool. */
export function finalText(question: string): string {
  return (answers[question]?.at(-1)?.content ?? []).map(textOf).join('')
}

/** The model of the shop: it goes by the last question, whatever else the conversation holds. */
export const shopScript: Script = ({ messages }) => {
  const asked = messages.findLastIndex(({ role, content }) => role === 'user' && textsOf(content).some(isQuestion))
  const question = textsOf(messages[asked]?.['content']).find(isQuestion) ?? ''
  const since = messages.slice(asked + 1)
  const answered = since.findLastIndex(({ content }) => blocksOf(content).some(({ type }) => type === 'tool_result'))
  const turns = since.filter(({ content }) => blocksOf(content).some(({ type }) => type === 'tool_result')).length
  const said = since
    .slice(answered + 1)
    .filter(({ role }) => role === 'assistant')
    .flatMap(({ content }) => textsOf(content))
    .join('')
  const turn = answers[question]?.[turns]
  if (turn === undefined) throw new Error(`no answer to "${question}"`)
  return said === '' ? turn : { ...turn, content: without(turn.content, said) }
}

function isQuestion(asked: string): boolean {
  return Object.values<string>(questions).includes(asked)
}

/** What is left to say after `said`. */
function without(content: readonly ContentBlock[], said: string): ContentBlock[] {
  let left = said
  return content.flatMap((block) => {
    if (left === '' || block.type !== 'text') return left === '' || block.type === 'tool_use' ? [block] : []
    const all = textOf(block)
    if (!all.startsWith(left.slice(0, all.length))) throw new Error('said what was not in the script')
    const rest = all.slice(left.length)
    left = left.slice(all.length)
    return rest === '' ? [] : [{ ...block, text: rest }]
  })
}

function blocksOf(content: unknown): ContentBlock[] {
  return Array.isArray(content) ? content : typeof content === 'string' ? [text(content)] : []
}

function textsOf(content: unknown): string[] {
  return blocksOf(content)
    .filter(({ type }) => type === 'text')
    .map(textOf)
}

function textOf(block: ContentBlock): string {
  return typeof block['text'] === 'string' ? block['text'] : ''
}
