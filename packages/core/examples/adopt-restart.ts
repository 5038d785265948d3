// run
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { startClaude, text, toolUse } from '@millrace/testing'

const claude = await startClaude({
  script: ({ toolResults }) =>
    toolResults.length === 0
      ? { content: [toolUse('charge_card', { cents: 1200 })] }
      : { content: [text('It is paid.')] },
})
const client = new Anthropic({ baseURL: claude.url, apiKey: 'any' })
const request = { model: 'claude-sonnet-5-5', max_tokens: 2048 } as const
let charges = 0
const charge = async (cents: number): Promise<string> => `charged ${cents}, number ${++charges}`

// #region restart
import { AsyncLocalStorage } from 'node:async_hooks'
import { adaptLoop, createAgent, defineTool, type LegacyScope } from '@millrace/core'
import { wrapLegacyTool } from '@millrace/core/legacy-tool'
import { z } from 'zod'

const scope = new AsyncLocalStorage<LegacyScope>()

// The legacy loop calls this instead of its own function. Both do the same, except after a handover.
const chargeCard = wrapLegacyTool({
  name: 'charge_card',
  scope,
  run: ({ cents }: { cents: number }) => charge(cents),
  fromEntry: ({ output }) => String(output),
})

const agent = createAgent({
  client,
  request,
  tools: [
    defineTool({
      name: 'charge_card',
      description: 'Charges the card of the customer.',
      inputSchema: z.object({ cents: z.number() }),
      run: ({ cents }) => charge(cents),
    }),
  ],
  recovery: { bufferedRetries: 0, backoff: 1 },
})

const pay = adaptLoop({
  legacy: payLoop,
  agent,
  toInput: (question) => ({ messages: [{ role: 'user', content: question }] }),
  fromResult: ({ text }) => text,
  useStreaming: () => true,
  handover: 'restart',
  scope,
})
// #endregion restart

async function payLoop(question: string): Promise<string> {
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: question }]
  const tools = [{ name: 'charge_card', description: 'Charges.', input_schema: { type: 'object' as const } }]
  while (true) {
    const { content } = await client.messages.create({ ...request, messages, tools })
    const [block] = content
    if (block?.type !== 'tool_use') return block?.type === 'text' ? block.text : ''
    const result = await chargeCard(z.object({ cents: z.number() }).parse(block.input))
    messages.push({ role: 'assistant', content })
    messages.push({ role: 'user', content: [{ type: 'tool_result', tool_use_id: block.id, content: result }] })
  }
}

// The card is charged in the first turn; the second fails both ways, so the existing loop starts over.
claude.setFaults([
  { kind: 'destroy', at: { event: 3 }, turn: 2, stream: true, times: 2 },
  { kind: 'status', status: 529, turn: 2, stream: false, times: 1 },
])
assert.equal(await pay('Charge 12.00'), 'It is paid.')
assert.equal(charges, 1)
await claude.close()
