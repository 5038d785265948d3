// run
import assert from 'node:assert/strict'
import { once } from 'node:events'
import Anthropic from '@anthropic-ai/sdk'
import { startClaude, text } from '@millrace/testing'

const claude = await startClaude({
  script: [{ content: [text('Your order is on its way.')] }],
  faults: [{ kind: 'destroy', at: { event: 4 }, times: 1 }],
})
const client = new Anthropic({ baseURL: claude.url, apiKey: 'any' })
const flags = { getBooleanDetails: (key: string) => ({ value: key === 'use_streaming' }) }
const executeAgentLoop = async (question: string): Promise<string> => `You asked: ${question}`

// #region watch
import { createServer } from 'node:http'
import { adaptLoop, createAgent } from '@millrace/core'
import { telemetry } from '@millrace/telemetry'
import { createPrometheus } from '@millrace/telemetry/prometheus'

const prometheus = createPrometheus()
const watch = telemetry({ agentName: 'orders', meter: prometheus.meter })

const agentLoop = adaptLoop({
  legacy: executeAgentLoop,
  agent: createAgent({ client, request: { model: 'claude-sonnet-5-5', max_tokens: 4096 }, use: [watch] }),
  toInput: (question) => ({ messages: [{ role: 'user', content: question }] }),
  fromResult: (result) => result.text,
  flags,
  onEvent: watch.onEvent,
})

const server = createServer((_request, response) => {
  response.setHeader('content-type', prometheus.contentType)
  response.end(prometheus.text())
})
// #endregion watch

server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
assert(typeof address === 'object' && address !== null)
assert.equal(await agentLoop('Where is order A-17?'), 'Your order is on its way.')
const scraped = await (await fetch(`http://127.0.0.1:${address.port}/metrics`)).text()
assert.match(scraped, /millrace_runs_total\{.*mode="stream",outcome="completed",rung="stream"\} 1/)
assert.match(scraped, /millrace_fallbacks_total\{.*reason="connection_lost".*\} 1/)

// #region window
const { groups } = watch.window.snapshot()
for (const { arm, judged, successRate, streamRate, total } of groups) {
  console.log({ arm, judged, successRate, streamRate, p95: total.quantiles.p95 })
}
// #endregion window
assert.equal(groups.length, 1)
assert.equal(groups[0]?.streamRate, 1)
server.close()
server.closeAllConnections()
await claude.close()
