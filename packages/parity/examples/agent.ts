// #region agent
import type Anthropic from '@anthropic-ai/sdk'
import { type Agent, createAgent, defineTool } from '@millrace/core'

const refund = defineTool({
  name: 'refund',
  description: 'Refunds an order.',
  inputSchema: { jsonSchema: { type: 'object' } },
  run: () => 'refunded',
})

/** The agent of a service. It takes its client, so that another one can stand in. */
export default function createSupportAgent(client: Anthropic): Agent {
  return createAgent({
    client,
    request: { model: 'claude-sonnet-5-5', max_tokens: 4_000, system: 'You refund orders.' },
    tools: [refund],
  })
}
// #endregion agent
