// run
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { createAgent } from '@millrace/core'
import { startClaude, text } from '@millrace/testing'

const claude = await startClaude({
  script: ({ attempt }) => ({
    content: [text(attempt === 1 ? 'It was sent on Monday.' : 'It was shipped on Monday.')],
  }),
  faults: [{ kind: 'destroy', at: { event: 6 }, turn: 1, times: 1 }],
})
const agent = createAgent({
  client: new Anthropic({ baseURL: claude.url, apiKey: 'any' }),
  request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
  recovery: { backoff: 1 },
})
const question = { role: 'user' as const, content: 'Where is A-17?' }

// #region show
import type { AgentEvent } from '@millrace/core'
import { createShownText } from '@millrace/core/reduce'

const run = agent.run({ messages: [question] })
const shown = createShownText()
let screen = ''
const events: AgentEvent[] = []
for await (const event of run) {
  events.push(event)
  const change = shown.apply(event)
  if (change?.type === 'append') screen += change.text
  if (change?.type === 'retract') screen = screen.slice(0, screen.length - change.text.length)
}
// #endregion show

const result = await run.result
assert.equal(screen, 'It was shipped on Monday.')
assert.equal(screen, shown.answer)
assert.ok(events.some(({ type }) => type === 'turn.retracted'))

// #region history
import { continuePrompt, createHistoryFold } from '@millrace/core/reduce'

const fold = createHistoryFold(continuePrompt)
for (const event of events) fold.apply(event)
fold.answer('The call was not run')
const messages = [question, ...fold.messages]
// #endregion history

assert.deepEqual(messages, result.messages)
assert.deepEqual(fold.usage, result.usage)
await claude.close()
