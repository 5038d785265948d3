// run
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { createAgent } from '@millrace/core'
import { startClaude, text } from '@millrace/testing'

const claude = await startClaude({
  script: ({ lastUserText }) => ({
    content: [text(lastUserText === 'And then?' ? 'Then it ends.' : 'Once upon a time there was a very long story')],
  }),
  pace: { eventDelay: 5 },
})
const agent = createAgent({
  client: new Anthropic({ baseURL: claude.url, apiKey: 'any' }),
  request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
})

// #region interrupt
const run = agent.run({ messages: [{ role: 'user', content: 'Tell me a story.' }] })
for await (const event of run) {
  if (event.type === 'text.delta') run.interrupt('the user pressed stop')
}
const { outcome, messages } = await run.result

const next = agent.run({ messages: [...messages, { role: 'user', content: 'And then?' }] })
// #endregion interrupt

assert.equal(outcome, 'interrupted')
assert.equal(messages.length, 2)
assert.equal((await next.result).text, 'Then it ends.')
await claude.close()
