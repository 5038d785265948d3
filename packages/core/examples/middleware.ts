// run
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { defineTool } from '@millrace/core'
import { startClaude, text, toolUse } from '@millrace/testing'
import { z } from 'zod'

const claude = await startClaude({
  script: [{ content: [toolUse('ping', { host: 'a' })] }, { content: [text('Up.')] }],
})
const client = new Anthropic({ baseURL: claude.url, apiKey: 'any' })
const request = { model: 'claude-sonnet-5-5', max_tokens: 2048 } as const
const ping = defineTool({
  name: 'ping',
  description: 'Pings a host.',
  inputSchema: z.object({ host: z.string() }),
  run: ({ host }) => `${host} is up`,
})
const log: string[] = []

// #region middleware
import { createAgent, type Middleware } from '@millrace/core'

const audit: Middleware = {
  name: 'audit',
  async run(scope, next) {
    scope.observe((event) => {
      if (event.type === 'fallback') log.push(`${event.from} -> ${event.to}: ${event.reason}`)
    })
    const result = await next()
    log.push(`run ${scope.decision.mode}: ${result.outcome}`)
    return result
  },
  turn: (scope, next) => next({ ...scope, request: { ...scope.request, metadata: { user_id: 'u-1' } } }),
  async tool(call, next) {
    const end = await next(call)
    log.push(`${call.name}: ${end.outcome}`)
    return end
  },
}

const agent = createAgent({ client, request, tools: [ping], use: [audit] })
// #endregion middleware

await agent.run({ messages: [{ role: 'user', content: 'Is a up?' }] }).result
assert.deepEqual(log, ['ping: ok', 'run stream: completed'])
assert.deepEqual(claude.requests[0]?.body?.['metadata'], { user_id: 'u-1' })
await claude.close()
