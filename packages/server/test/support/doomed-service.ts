import { createHandler } from '../../src/index.ts'
import { paymentAgent } from './payments.ts'
import { remoteStores } from './remote-stores.ts'
import { readEach } from './served.ts'

// A process that serves one request, and says what happens, until it is killed.
const [url = ''] = process.argv.slice(2)
const { runs, sessions } = remoteStores()
const agent = paymentAgent({
  url,
  runs,
  charge: (key) => new Promise((resolve) => process.send?.({ charged: key }, () => resolve())),
  hasCharged: () => false,
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
for await (const { seq } of readEach(response)) process.send?.({ seen: seq })
