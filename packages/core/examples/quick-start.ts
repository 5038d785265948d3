// run
import assert from 'node:assert/strict'
import { startClaude, text, thinking, toolUse } from '@millrace/testing'

// A scripted server stands in for Claude.
const claude = await startClaude({
  script: [
    { content: [thinking('I look it up.'), text('One moment.'), toolUse('look_up_order', { orderId: 'A-17' })] },
    { content: [text('Order A-17 was shipped on Monday.')] },
  ],
})
process.env['ANTHROPIC_BASE_URL'] = claude.url
process.env['ANTHROPIC_API_KEY'] = 'any'

// #region quick-start
import Anthropic from '@anthropic-ai/sdk'
import { createAgent, defineTool } from '@millrace/core'
import { z } from 'zod'

const lookUpOrder = defineTool({
  name: 'look_up_order',
  description: 'Looks up an order by its id.',
  inputSchema: z.object({ orderId: z.string() }),
  readOnly: true,
  async run({ orderId }, { progress }) {
    progress({ progress: 1, total: 2, message: `Found ${orderId}` })
    return { orderId, status: 'shipped on Monday' }
  },
})

const agent = createAgent({
  client: new Anthropic(),
  request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
  tools: [lookUpOrder],
})

const run = agent.run({ messages: [{ role: 'user', content: 'Where is order A-17?' }] })

for await (const event of run) {
  if (event.type === 'text.delta') process.stdout.write(event.text)
  if (event.type === 'tool.progress') process.stdout.write(`\n[${event.name}: ${event.message}]\n`)
  if (event.type === 'turn.retracted') process.stdout.write('\n[the end of this turn was retracted]\n')
}

const { outcome, error, messages, text: answer, usage } = await run.result
if (outcome === 'failed') console.error(`\n${error?.message} (${error?.code})`)
// #endregion quick-start

assert.equal(outcome, 'completed')
assert.equal(answer, 'Order A-17 was shipped on Monday.')
assert.equal(messages.length, 4)
assert.ok(usage.output_tokens > 0)
await claude.close()
