// run
import Anthropic from '@anthropic-ai/sdk'
import { startClaude, text } from '@millrace/testing'
import { createFetch } from '@millrace/fetch'

const claude = await startClaude({
  script: (conversation) => conversation.continued({ content: [text('Your order was sent on Monday.')] }),
  // The stream is cut in the middle of the answer.
  faults: [{ kind: 'destroy', at: { event: 6 }, times: 1 }],
})

// #region client
const client = new Anthropic({
  baseURL: claude.url,
  apiKey: 'any',
  fetch: createFetch({ recovery: { backoff: 1 } }),
})

const stream = client.messages.stream({
  model: 'claude-sonnet-5-5',
  max_tokens: 1024,
  messages: [{ role: 'user', content: 'Where is my order?' }],
})
let shown = ''
stream.on('text', (words) => (shown += words))
await stream.finalMessage()
// #endregion client

if (shown !== 'Your order was sent on Monday.') throw new Error(`shown: ${shown}`)
await claude.close()
