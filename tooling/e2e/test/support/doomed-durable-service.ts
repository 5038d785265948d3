import { createHandler } from '@millrace/server'
import { once } from 'node:events'
import { durableStores } from './durable-stores.ts'
import { paymentAgent } from './payment-agent.ts'

// A process that serves one request over a durable store, and says what happens, until it is killed.
const [url = '', place = ''] = process.argv.slice(2)
const { runs, sessions } = durableStores(place)
const agent = paymentAgent({
  url,
  runs,
  async charge(key) {
    const answered = once(process, 'message')
    process.send?.({ charged: key })
    await answered
  },
})
const handler = createHandler({ agent, runs, sessions, identify: () => 'alice' })
const response = await handler.fetch(
  new Request('http://millrace.test/runs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: 'Charge 12.00', sessionId: 'chat' }),
  }),
)
process.send?.({ runId: response.headers.get('millrace-run-id') })
// Each event has a line with its number.
const decoder = new TextDecoder()
for await (const bytes of response.body ?? []) {
  for (const [, seq] of decoder.decode(bytes).matchAll(/^id: (\d+)$/gm)) process.send?.({ seen: Number(seq) })
}
