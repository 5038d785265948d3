import { strictEqual } from 'node:assert/strict'
import { startClaude, text } from '@millrace/testing'
import { manualClock } from '@millrace/testing/async'

const clock = manualClock()
const claude = await startClaude({ script: [{ content: [text('Hello')] }], pace: { eventDelay: 60_000 }, clock })

const request = { model: 'm', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] }
const answer = fetch(`${claude.url}/v1/messages`, {
  method: 'POST',
  headers: { 'x-api-key': 'any' },
  body: JSON.stringify(request),
})

// Seven events, a minute apart. No second of it is waited for.
for (let event = 0; event < 7; event++) {
  await clock.timer()
  clock.advance(60_000)
}
strictEqual((await answer).status, 200)
await claude.close()
