import assert from 'node:assert/strict'
// #region stores
import Anthropic from '@anthropic-ai/sdk'
import { createAgent } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { redisStores } from '@millrace/store-redis'
import { Redis } from 'ioredis'

const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379')
const { runs, sessions, close } = redisStores({ client: redis })
const agent = createAgent({
  client: new Anthropic(),
  request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
  journal: runJournal(runs),
})
// With @millrace/server: createHandler({ agent, runs, sessions })
// #endregion stores

const run = agent.run({ messages: [{ role: 'user', content: 'How are you?' }], sessionId: 'chat' })
await run[Symbol.asyncIterator]().next()

// Another instance has connections of its own. It follows the run from the start to its end.
const otherRedis = redis.duplicate()
const other = redisStores({ client: otherRedis })
let shown = ''
for await (const batch of other.runs.read(run.runId, 0)) {
  for (const event of batch) if (event.type === 'text.delta') shown += event.text
}
assert.equal(shown, (await run.result).text)
assert.equal((await sessions.load('chat')).version, 0)
console.log(`another instance was shown: ${shown}`)

await Promise.all([close(), other.close()])
redis.disconnect()
otherRedis.disconnect()
