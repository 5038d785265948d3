// run
import Anthropic from '@anthropic-ai/sdk'
import { startClaude, text } from '@millrace/testing'
import { createFetch } from '@millrace/fetch'
import { streamInPlace } from '@millrace/fetch/in-place'

const claude = await startClaude({ script: () => ({ content: [text('Your order was sent on Monday.')] }) })

// #region loop
const fetch = createFetch()
const client = new Anthropic({ baseURL: claude.url, apiKey: 'any', fetch }) // the one line that changes

async function executeAgentLoop(question: string): Promise<string> {
  const { content } = await client.messages.create({
    model: 'claude-sonnet-5-5',
    max_tokens: 1024,
    messages: [{ role: 'user', content: question }],
  })
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
}

const answer = streamInPlace({ loop: executeAgentLoop, fetch, useStreaming: () => true })

let shown = ''
for await (const event of answer.run('Where is my order?')) {
  if (event.type === 'text.delta') shown += event.text
}
// #endregion loop

if (shown !== 'Your order was sent on Monday.') throw new Error(`shown: ${shown}`)
await claude.close()
