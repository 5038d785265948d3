// run
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { createAgent, defineTool } from '@millrace/core'
import { startClaude, text, thinking, toolUse } from '@millrace/testing'
import { z } from 'zod'

const claude = await startClaude({
  script: (conversation) =>
    conversation.toolResults.length === 0
      ? { content: [thinking('I count.'), text('Let me count.'), toolUse('count', { to: 3 })] }
      : { content: [text(conversation.attempt === 1 ? 'It is three, I think' : 'It is three.')] },
})
// The second answer is cut in the middle, and then worded differently.
claude.cutAt({ event: 7, turn: 2 })

const count = defineTool({
  name: 'count',
  description: 'Counts.',
  inputSchema: z.object({ to: z.number() }),
  async *run({ to }) {
    for (let at = 1; at <= to; at++) yield { progress: at, total: to, message: `at ${at}` }
    return to
  },
})
const agent = createAgent({
  client: new Anthropic({ baseURL: claude.url, apiKey: 'any' }),
  request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
  tools: [count],
  recovery: { backoff: 1 },
})
const messages = [{ role: 'user' as const, content: 'Count to three.' }]
const log: string[] = []
let shown = ''

// #region callbacks
const run = agent.run({
  messages,
  callbacks: {
    onText: (text) => (shown += text),
    onRetract: ({ text }) => (shown = shown.slice(0, -text.length)),
    onThinking: (text, { turn }) => log.push(`thinking in turn ${turn}: ${text}`),
    onToolUse: (name, input, { toolUseId }) => log.push(`${toolUseId}: ${name} ${JSON.stringify(input)}`),
    onToolProgress: (name, input, message, { progress, total }) =>
      log.push(`${name}: ${message}, ${progress}/${total}`),
    onToolResult: (name, input, result, { outcome }) => log.push(`${name}: ${outcome}, ${JSON.stringify(result)}`),
    onError: ({ code, message }, { recoverable }) =>
      log.push(`${code}: ${message}, ${recoverable ? 'recovered' : 'failed'}`),
  },
})
await run.result
// #endregion callbacks

assert.equal(shown, 'Let me count.It is three.')
assert.equal(log.filter((line) => line.startsWith('count: at')).length, 3)
assert.ok(log.some((line) => line.startsWith('connection_lost') && line.endsWith('recovered')))
await claude.close()
