// run
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { startClaude, text } from '@millrace/testing'

// A scripted server stands in for Claude.
const claude = await startClaude({ script: () => ({ content: [text('All is well.')] }) })
process.env['ANTHROPIC_BASE_URL'] = claude.url
process.env['ANTHROPIC_API_KEY'] = 'any'
process.env['PORT'] = '0'

// #region server
import Anthropic from '@anthropic-ai/sdk'
import { createAgent } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { millrace, streamRun } from '@millrace/express'
import { createHandler } from '@millrace/server'
import express from 'express'

const runs = memoryRunStore()
const agent = createAgent({
  client: new Anthropic(),
  request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
  journal: runJournal(runs),
})
const handler = createHandler({
  agent,
  runs,
  sessions: memorySessionStore(),
  // Identifies the user by a header, to try it. In production, use what your authentication found.
  identify: (request) => request.headers.get('x-user-id') ?? undefined,
})

const app = express()
app.use('/agent', millrace(handler))

// Your own route, with your own run.
app.get('/joke', (_req, res) => {
  const run = agent.run({ messages: [{ role: 'user', content: 'Tell me a joke.' }] })
  return streamRun(res, run, { onDisconnect: 'cancel' })
})

const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', (error) => {
  if (error) throw error
  console.log('Runs are at', server.address())
})

// Refuses new runs, gives open runs ten seconds, tells their clients, and ends the process.
process.once('SIGTERM', () => {
  void handler.drain(10_000).then(() => server.close())
})
// #endregion server

if (!server.listening) await once(server, 'listening')
const address = server.address()
const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
const headers = { 'content-type': 'application/json', 'x-user-id': 'ada' }
const body = JSON.stringify({ input: 'How are you?', sessionId: 'chat' })
const started = await fetch(`${url}/agent/runs`, { method: 'POST', headers, body })
assert.match(await started.text(), /"outcome":"completed"/)
const run = `${url}/agent/runs/${started.headers.get('millrace-run-id')}`
const snapshot: unknown = await (await fetch(run, { headers })).json()
assert.partialDeepStrictEqual(snapshot, { closed: true, outcome: 'completed', sessionId: 'ada/chat' })
assert.match(await (await fetch(`${run}/events`, { headers: { ...headers, 'last-event-id': '2' } })).text(), /^id: 3$/m)
const cancelled: unknown = await (await fetch(`${run}/cancel`, { method: 'POST', headers })).json()
assert.partialDeepStrictEqual(cancelled, { cancelled: false })
assert.match(await (await fetch(`${url}/joke`)).text(), /All is well/)
process.emit('SIGTERM')
await once(server, 'close')
await claude.close()
