import type { Layout, LayoutStep, LayoutTool } from './layout.ts'
import { text, toolUse, type Turn } from '../script/turn.ts'

const chargeCard: LayoutTool = {
  name: 'charge_card',
  description: 'Has a side effect that must happen once: charge_card.',
  inputSchema: { type: 'object', properties: { cents: { type: 'integer' } }, required: ['cents'] },
  readOnly: false,
  result: 'charged, receipt 7781',
}

const charge = toolUse('charge_card', { cents: 4900 })

/** Returns a job that charges a card in one turn, and answers in the next. */
function chargeLayout(id: string, description: string, turns: { readonly ask: Turn; readonly final: Turn }): Layout {
  return {
    id,
    description,
    question: 'Charge order A-17.',
    tools: [chargeCard],
    next(conversation): LayoutStep {
      const isFinal = conversation.resultsOf('charge_card').length > 0
      return isFinal ? { step: 'final', isFinal, turns: [turns.final] } : { step: 'ask', isFinal, turns: [turns.ask] }
    },
  }
}

/** The layouts in which a whole answer is streamed in an unusual way. */
export const quirkLayouts: readonly Layout[] = [
  chargeLayout(
    'prefilled-start',
    'a tool with a side effect whose call is in message_start already, as in answers to code that calls tools',
    {
      ask: { content: [charge], quirks: [{ kind: 'prefilled-start' }] },
      final: { content: [text('The card was charged.')] },
    },
  ),
  chargeLayout('unstopped-call', 'a tool with a side effect whose call gets no content_block_stop, and text after it', {
    ask: {
      content: [text('I charge the card.'), charge, text('This takes a moment; the receipt follows.')],
      quirks: [{ kind: 'unstopped-block', block: 1 }],
    },
    final: { content: [text('The card was charged.')] },
  }),
  chargeLayout('start-over', 'a model that begins a broken answer anew when it is asked to go on with it', {
    ask: { content: [text('I charge the card and tell you the receipt.'), charge], quirks: [{ kind: 'start-over' }] },
    final: { content: [text('The card was charged; the receipt is 7781.')], quirks: [{ kind: 'start-over' }] },
  }),
]
