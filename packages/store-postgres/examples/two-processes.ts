import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { createAgent } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { postgresStores } from '@millrace/store-postgres'
import { startClaude, text } from '@millrace/testing'
import { Pool } from 'pg'

// Run with DATABASE_URL, such as postgresql://user:password@127.0.0.1:5432/chat.
const connectionString = process.env['DATABASE_URL']
const claude = await startClaude({ script: [{ content: [text('All is well.')] }] })

// One process runs the agent.
const pool = new Pool({ connectionString })
const { runs, close } = postgresStores({ pool })
const agent = createAgent({
  client: new Anthropic({ baseURL: claude.url, apiKey: 'any' }),
  request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
  journal: runJournal(runs),
})
const run = agent.run({ messages: [{ role: 'user', content: 'How are you?' }] })

// Another one follows it.
const otherPool = new Pool({ connectionString })
const other = postgresStores({ pool: otherPool })
await run.result
const shown: string[] = []
for await (const events of other.runs.read(run.runId, 0)) {
  for (const event of events) if (event.type === 'text.delta') shown.push(event.text)
}
assert.equal(shown.join(''), 'All is well.')

await Promise.all([close(), other.close()])
await Promise.all([pool.end(), otherPool.end()])
await claude.close()
