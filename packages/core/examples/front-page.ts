// run
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { type AgentEvent, defineTool, type Message } from '@millrace/core'
import { startClaude, text, toolUse } from '@millrace/testing'
import { z } from 'zod'

const claude = await startClaude({
  script: [{ content: [toolUse('find_user', { id: 'u-1' })] }, { content: [text('That is Ada.')] }],
})
// The first stream is cut: nobody notices.
claude.cutAt({ event: 4 })

const client = new Anthropic({ baseURL: claude.url, apiKey: 'any' })
const findUser = defineTool({
  name: 'find_user',
  description: 'Finds a user by id.',
  inputSchema: z.object({ id: z.string() }),
  readOnly: true,
  run: ({ id }) => (id === 'u-1' ? 'Ada' : 'nobody'),
})
const streaming = { value: true }
const flags = {
  getBooleanDetails: (key: string, fallback: boolean) => ({
    value: key === 'use_streaming' ? streaming.value : fallback,
  }),
}

const yourLoop = async (_userId: string, _history: Message[], question: string): Promise<string> =>
  `Your loop answers: ${question}`

let shown = ''
const render = (event: AgentEvent): void => void (shown += event.type === 'text.delta' ? event.text : '')

// #region wrap
import { adaptLoop, createAgent } from '@millrace/core'

const agent = createAgent({
  client,
  request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
  tools: [findUser],
})

const answer = adaptLoop({
  legacy: yourLoop,
  agent,
  toInput: (_userId, history, question) => ({ messages: [...history, { role: 'user', content: question }] }),
  fromResult: ({ text }) => text,
  flags,
  context: (userId) => ({ targetingKey: userId }),
})

// Call it as before …
const reply = await answer('user-7', [], 'Who is u-1?')

// … or iterate its events.
for await (const event of answer.run('user-7', [], 'Who is u-1?')) render(event)
// #endregion wrap

assert.equal(reply, 'That is Ada.')
assert.equal(shown, 'That is Ada.')
assert.equal(claude.requests.length, 5)

streaming.value = false
assert.equal(await answer('user-7', [], 'Hello'), 'Your loop answers: Hello')
assert.equal(claude.requests.length, 5)
await claude.close()
