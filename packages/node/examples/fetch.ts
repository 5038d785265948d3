// run
import assert from 'node:assert/strict'
import { startClaude, text } from '@millrace/testing'

// A scripted server stands in for Claude.
const claude = await startClaude({ script: () => ({ content: [text('All is well.')] }) })
process.env['ANTHROPIC_BASE_URL'] = claude.url
process.env['ANTHROPIC_API_KEY'] = 'any'

// #region client
import Anthropic from '@anthropic-ai/sdk'
import { createNodeFetch } from '@millrace/node'

const client = new Anthropic({ fetch: createNodeFetch() })
// #endregion client

const message = await client.messages.create({
  model: 'claude-sonnet-5-5',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'Is all well?' }],
})
assert.deepEqual(
  message.content.map((block) => block.type === 'text' && block.text),
  ['All is well.'],
)
await claude.close()
