import type Anthropic from '@anthropic-ai/sdk'

/** What the tools of all loops act on. */
export type ShopTools = Readonly<Record<string, (input: Readonly<Record<string, unknown>>) => Promise<string>>>

export const shopTools: ShopTools = {
  look_up: ({ order }) => Promise.resolve(`Order ${String(order)} is on its way`),
  charge: ({ cents }) =>
    cents === 0 ? Promise.reject(new Error('Nothing to charge')) : Promise.resolve(`Charged ${String(cents)}`),
}

export const definitions: Anthropic.Tool[] = [
  {
    name: 'look_up',
    description: 'Looks up an order',
    input_schema: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'] },
  },
  {
    name: 'charge',
    description: 'Charges the card',
    input_schema: { type: 'object', properties: { order: { type: 'string' }, cents: { type: 'number' } } },
  },
]

export function textOf(content: readonly Anthropic.ContentBlock[]): string {
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}
