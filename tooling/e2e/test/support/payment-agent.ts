import Anthropic from '@anthropic-ai/sdk'
import { createAgent, defineTool, type LocalAgent, type RunStore, type Runtime } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'

export interface PaymentOptions {
  readonly url: string
  readonly runs: RunStore
  /** Makes the payment. */
  readonly charge: (key: string, signal: AbortSignal) => Promise<void>
  readonly hasCharged?: (key: string) => boolean
  readonly runtime?: Partial<Runtime>
}

/** The agent that all instances of a service have: it can charge a card, and ask whether it did. */
export function paymentAgent({ url, runs, charge, hasCharged, runtime = {} }: PaymentOptions): LocalAgent {
  return createAgent({
    client: new Anthropic({ apiKey: 'any', baseURL: url }),
    request: { model: 'claude-opus-5-5', max_tokens: 1000 },
    tools: [
      defineTool({
        name: 'charge_card',
        description: 'Charges the card.',
        inputSchema: { jsonSchema: { type: 'object', properties: { cents: { type: 'integer' } } } },
        async run(_input, { idempotencyKey, signal }) {
          await charge(idempotencyKey, signal)
          return 'charged'
        },
        ...(hasCharged && {
          reconcile: (_input, { idempotencyKey }) =>
            hasCharged(idempotencyKey) ? { happened: true, result: 'charged' } : { happened: false },
        }),
      }),
    ],
    journal: runJournal(runs),
    recovery: { backoff: 1 },
    runtime,
  })
}
