// run
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { type Clock, createAgent, type RunStore, type SessionStore, systemClock } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { createHandler, type Handler } from '@millrace/server'
import { startClaude, text } from '@millrace/testing'

let release = (): void => {}
const held = new Promise<void>((resolve) => (release = resolve))
const claude = await startClaude({
  script: async ({ attempt }) => {
    if (attempt === 1) await held
    return { content: [text('All is well.')] }
  },
})
let skipped = 0
const clock: Clock = { ...systemClock, now: () => Date.now() + skipped }
// They stand for a database: they outlive the process.
const runs = memoryRunStore({ clock })
const sessions = memorySessionStore({ clock })

function service(runs: RunStore, sessions: SessionStore, clock: Clock): Handler {
  const client = new Anthropic({ baseURL: claude.url, apiKey: 'any' })
  const request = { model: 'claude-sonnet-5-5', max_tokens: 2048 }
  const agent = createAgent({ client, request, journal: runJournal(runs), runtime: { clock } })
  return createHandler({ agent, runs, sessions, identify: () => 'ada', runtime: { clock } })
}

// A process that is dead renews nothing.
const dead: Clock = { now: () => Date.now(), setTimer: () => () => {} }
const started = await service(runs, sessions, dead).fetch(
  new Request('http://localhost/runs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"input":"How are you?","sessionId":"chat"}',
  }),
)
await claude.nextRequest()
skipped = 30_000
const handler = service(runs, sessions, systemClock)

// #region recover
await handler.recover()
// #endregion recover

await handler.drain(10_000)
const { messages } = await sessions.load('ada/chat')
assert.deepEqual(
  messages.map(({ role }) => role),
  ['user', 'assistant'],
)
assert.equal((await runs.snapshot(started.headers.get('millrace-run-id') ?? ''))?.outcome, 'completed')
release()
await started.body?.cancel()
await claude.close()
