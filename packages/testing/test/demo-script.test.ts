import { expect, test } from 'vitest'
import { demoScript, startClaude } from '../src/index.ts'

/** What the demo calls the tool with, when it was asked `said`. */
async function inputFor(said: string, properties: object, required = Object.keys(properties)): Promise<unknown> {
  await using claude = await startClaude({ script: demoScript })
  const response = await fetch(`${claude.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': 'k' },
    body: JSON.stringify({
      model: 'm',
      max_tokens: 9,
      messages: [{ role: 'user', content: said }],
      tools: [
        {
          name: 'find_order',
          description: 'Finds an order, a file or a status.',
          input_schema: { type: 'object', properties, required },
        },
      ],
    }),
  })
  const { content } = await response.json()
  return content.at(-1).input
}

test.each([
  ['Where is order A-17?', 'A-17'],
  ['Where is order 7?', '7'],
  ['Which file is in ./src?', './src'],
  ['Read the file src/index.ts, please.', 'src/index.ts'],
  ['Find the file (README.md)!', 'README.md'],
  ['Find the order "the red one", not order 9', 'the red one'],
  ["What's the status of Bob's order?", "What's the status of Bob's order"],
])('asked %j, gives a tool the text %j', async (said, value) => {
  expect(await inputFor(said, { value: { type: 'string' } })).toEqual({ value })
})

test('takes numbers and choices from what was said', async () => {
  const properties = { count: { type: 'integer' }, status: { enum: ['open', 'sent'] } }
  expect(await inputFor('Find 12 orders that are sent', properties)).toEqual({ count: 12, status: 'sent' })
  expect(await inputFor('Find the order', properties)).toEqual({ count: 3, status: 'open' })
})

test('fills in an optional field only if something is named', async () => {
  const properties = { deep: { type: 'boolean' }, path: { type: 'string' } }
  expect(await inputFor('Which file is in ./src?', properties, [])).toEqual({ path: './src' })
  expect(await inputFor('Find a file.', properties, [])).toEqual({})
})
