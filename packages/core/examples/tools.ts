// run
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { createAgent } from '@millrace/core'
import { startClaude, text, toolUse } from '@millrace/testing'

const charges = new Map<string, { cents: number }>()
const payments = {
  charge: async (cents: number, { key }: { key: string; signal: AbortSignal }) => void charges.set(key, { cents }),
  find: async (key: string) => charges.get(key),
}

// #region tools
import { defineTool, ToolError } from '@millrace/core'
import { z } from 'zod'

const chargeCard = defineTool({
  name: 'charge_card',
  description: 'Charges the card of the customer.',
  inputSchema: z.object({ cents: z.int().positive() }),
  timeout: 30_000,
  async run({ cents }, { signal, idempotencyKey }) {
    if (cents > 50_000) throw new ToolError('More than 500 is not charged without a signature')
    await payments.charge(cents, { key: idempotencyKey, signal })
    return `charged ${cents}`
  },
  // Asked where nobody knows whether a call took effect.
  async reconcile(_input, { idempotencyKey }) {
    const charge = await payments.find(idempotencyKey)
    return charge === undefined ? { happened: false } : { happened: true, result: `charged ${charge.cents}` }
  },
})

const importRows = defineTool({
  name: 'import_rows',
  description: 'Imports rows.',
  inputSchema: { jsonSchema: { type: 'object', properties: { rows: { type: 'array' } }, required: ['rows'] } },
  // What a generator yields is progress, what it returns is the result.
  async *run(input) {
    const { rows } = z.object({ rows: z.array(z.unknown()) }).parse(input)
    for (const [index] of rows.entries()) yield { progress: index + 1, total: rows.length }
    return { imported: rows.length }
  },
})
// #endregion tools

const claude = await startClaude({
  script: [
    {
      content: [
        toolUse('charge_card', { cents: 1200 }),
        toolUse('charge_card', { cents: 90_000 }),
        toolUse('charge_card', { cents: -1 }),
        toolUse('import_rows', { rows: [1, 2, 3] }),
      ],
    },
    { content: [text('Done.')] },
  ],
})
const agent = createAgent({
  client: new Anthropic({ baseURL: claude.url, apiKey: 'any' }),
  request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
  tools: [chargeCard, importRows],
})
const results: unknown[] = []
const { outcome } = await agent.run({
  messages: [{ role: 'user', content: 'Charge it.' }],
  callbacks: { onToolResult: (_name, _input, result) => results.push(result) },
}).result
assert.equal(outcome, 'completed')
assert.equal(charges.size, 1)
assert.ok(results.includes('charged 1200'))
assert.ok(results.includes('More than 500 is not charged without a signature'))
assert.ok(results.includes('{"imported":3}'))
assert.ok(results.some((result) => String(result).startsWith('Invalid input:\ncents: ')))
await claude.close()
