import type { Conversation } from '../script/conversation.ts'
import { contentBlocks } from '../script/continuation.ts'
import type { Layout, LayoutStep, LayoutTool } from './layout.ts'
import { quirkLayouts } from './quirk-layouts.ts'
import { serverToolLayouts } from './server-tool-layouts.ts'
import { text, thinking, toolUse, type ContentBlock, type Turn } from '../script/turn.ts'

const schema = (properties: { readonly [field: string]: unknown }): { readonly [field: string]: unknown } => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
})

const effect = (name: string, properties: { readonly [field: string]: unknown }, result: string): LayoutTool => ({
  name,
  description: `Has a side effect that must happen once: ${name}.`,
  inputSchema: schema(properties),
  readOnly: false,
  result,
})

const chargeCard = effect('charge_card', { cents: { type: 'integer' } }, 'charged, receipt 7781')
const sendMail = effect('send_mail', { to: { type: 'string' }, body: { type: 'string' } }, 'sent as message 42')
const lookUp: LayoutTool = {
  name: 'look_up',
  description: 'Looks up an order; has no effects.',
  inputSchema: schema({ order: { type: 'string' } }),
  readOnly: true,
  result: 'order A-17: 2 lamps, 4900 cents, open',
}

const charge = toolUse('charge_card', { cents: 4900 })
const mail = toolUse('send_mail', { to: 'ada@example.com', body: 'Your lamps are on their way.' })

/** Returns the calls whose tools have no result in this conversation yet. */
function missing(conversation: Conversation, calls: readonly ContentBlock[]): readonly ContentBlock[] {
  return calls.filter((call) => conversation.resultsOf(String(call.name)).length === 0)
}

function step(name: string, ...turns: readonly (readonly ContentBlock[])[]): LayoutStep {
  return { step: name, turns: turns.map((content): Turn => ({ content })), isFinal: name === 'final' }
}

function isStart(conversation: Conversation): boolean {
  return !conversation.messages.some((message) =>
    contentBlocks(message).some((block) => block.type === 'tool_result' || block.type === 'tool_use'),
  )
}

const twoTools: Layout = {
  id: 'thinking-text-two-tools',
  description: 'thinking, text, two parallel tools with side effects, then the answer',
  question: 'Charge order A-17 and tell Ada.',
  tools: [chargeCard, sendMail],
  next(conversation) {
    const calls = missing(conversation, [charge, mail])
    if (calls.length === 0) return step('final', [text('Done: the card was charged and Ada has her mail.')])
    if (!isStart(conversation)) return step('rest', [text('One more thing to do.'), ...calls])
    return step('ask', [
      thinking('Two things to do, and neither waits for the other.'),
      text('I will do both now.'),
      ...calls,
    ])
  },
}

const textAfterTool: Layout = {
  id: 'text-after-tool',
  description: 'text, a tool with a side effect, and text after it',
  question: 'Charge order A-17.',
  tools: [chargeCard],
  next(conversation) {
    if (missing(conversation, [charge]).length === 0) return step('final', [text('The card was charged.')])
    return step('ask', [text('I charge the card.'), charge, text('This takes a moment; the receipt follows.')])
  },
}

const interleavedThinking: Layout = {
  id: 'interleaved-thinking',
  description: 'thinking between tool calls, over three turns',
  question: 'What is open on A-17? Charge it.',
  tools: [lookUp, chargeCard],
  next(conversation) {
    if (missing(conversation, [charge]).length === 0) {
      return step('final', [thinking('Charged; I report.'), text('A-17 was open, 49.00 are charged now.')])
    }
    if (conversation.resultsOf('look_up').length > 0) {
      return step('charge', [thinking('4900 cents are open. I charge them.'), text('It is open; I charge it.'), charge])
    }
    return step('look', [
      thinking('First I look it up.'),
      { type: 'redacted_thinking' },
      thinking('Then I charge it.'),
      toolUse('look_up', { order: 'A-17' }),
    ])
  },
}

const refresh = toolUse('refresh_index', {})

const noArguments: Layout = {
  id: 'call-without-arguments',
  description: 'a tool call without arguments, as the last block of its turn',
  question: 'Refresh the index.',
  tools: [effect('refresh_index', {}, 'refreshed 12 entries')],
  next(conversation) {
    if (missing(conversation, [refresh]).length === 0) return step('final', [text('The index holds 12 entries.')])
    return step('ask', [text('I refresh it.'), refresh])
  },
}

const note = toolUse('save_note', { body: 'Zoë 👩🏽‍🚀 訪日: 9月、東京で 🍣 — naïve café' })

const multiByte: Layout = {
  id: 'multi-byte-text',
  description: 'emoji, CJK and combining characters in thinking, text and tool input',
  question: 'Note the trip.',
  tools: [effect('save_note', { body: { type: 'string' } }, 'gespeichert ✅')],
  next(conversation) {
    if (missing(conversation, [note]).length === 0)
      return step('final', [text('保存しました ✅ – bis später, Zoë 👋🏽!')])
    return step('ask', [thinking('旅行 ✈️'), text('ノートを保存します 📝 (e\u0301)'), note])
  },
}

const differentWords: Layout = {
  id: 'different-words',
  description: 'a repeated request is answered in different words',
  question: 'Charge order A-17, please.',
  tools: [chargeCard],
  next(conversation) {
    if (missing(conversation, [charge]).length === 0) {
      return step('final', [text('All done: 49.00 are charged.')], [text('All set! The charge of 49.00 went through.')])
    }
    return step(
      'ask',
      [thinking('A charge.'), text('I will charge the card now.'), charge],
      [thinking('So, a charge.'), text('I am charging the card, one moment.'), charge],
      [text('Charging it.'), charge],
    )
  },
}

/** The shapes of answers that the fault matrix breaks. */
export const layouts: readonly Layout[] = [
  twoTools,
  textAfterTool,
  interleavedThinking,
  noArguments,
  ...serverToolLayouts,
  multiByte,
  differentWords,
  ...quirkLayouts,
]
