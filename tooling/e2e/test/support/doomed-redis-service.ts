import { createHandler } from '@millrace/server'
import { redisStores } from '@millrace/store-redis'
import { Redis } from 'ioredis'
import { once } from 'node:events'
import { paymentAgent } from './payment-agent.ts'

// A process that serves one request over Redis, and says what happens, until it is killed.
const [url = '', port = ''] = process.argv.slice(2)
const { runs, sessions } = redisStores({ client: new Redis({ host: '127.0.0.1', port: Number(port) }) })
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
// Each event is a line that begins with its number.
const decoder = new TextDecoder()
for await (const bytes of response.body ?? []) {
  for (const [, seq] of decoder.decode(bytes).matchAll(/^id: (\d+)$/gm)) process.send?.({ seen: Number(seq) })
}
