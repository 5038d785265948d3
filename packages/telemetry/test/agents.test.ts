import Anthropic from '@anthropic-ai/sdk'
import { type AgentEvent, type Clock, createAgent, defineTool, type Middleware, systemClock } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore } from '@millrace/core/memory'
import { startClaude, text, toolUse } from '@millrace/testing'
import { deferred, manualClock } from '@millrace/testing/async'
import { expect, test } from 'vitest'
import { telemetry } from '../src/index.ts'
import { createPrometheus } from '../src/prometheus/index.ts'
import { createRequestTimer } from '../src/request-timer.ts'

const question = [{ role: 'user' as const, content: 'Where is order A-17?' }]
const request = { model: 'claude-opus-5-5', max_tokens: 1000 }

function watched() {
  const prometheus = createPrometheus()
  const samples = (name: string) => {
    const lines = prometheus.text().split('\n')
    return lines.filter((line) => line.startsWith(name) && !line.endsWith(' 0'))
  }
  return { watch: telemetry({ meter: prometheus.meter }), samples }
}

test('counts a run that another process takes over as resumed there, and as ended once', async () => {
  await using claude = await startClaude({
    script: [{ content: [toolUse('look_up')] }, { content: [text('It is on its way.')] }],
  })
  let skipped = 0
  const store = memoryRunStore({ clock: { ...systemClock, now: () => Date.now() + skipped } })
  const death = deferred()
  const agentOf = (use: Middleware, clock: Clock, run: () => Promise<string>) =>
    createAgent({
      client: new Anthropic({ apiKey: 'any', baseURL: claude.url }),
      request,
      tools: [
        defineTool({
          name: 'look_up',
          description: 'Looks up.',
          inputSchema: { jsonSchema: { type: 'object' } },
          readOnly: true,
          run,
        }),
      ],
      use: [use],
      journal: runJournal(store),
      runtime: { clock },
    })
  const [first, second] = [watched(), watched()]
  const stopped: Clock = { now: () => Date.now(), setTimer: () => () => {} }
  const dying = agentOf(first.watch, stopped, () => {
    death.resolve()
    return new Promise<string>(() => {})
  })
  const { runId } = dying.run({ messages: question })
  await death.promise
  skipped = 60_000
  const taken = await agentOf(second.watch, systemClock, async () => 'Found').resume(runId)
  if (taken.status !== 'resumed') throw new Error(taken.status)
  expect((await taken.run.result).outcome).toBe('completed')

  expect(first.samples('millrace_resumes_total')).toEqual([])
  expect(first.watch.window.snapshot().active).toBe(1)
  expect(second.samples('millrace_resumes_total')).toEqual(['millrace_resumes_total{arm="streaming",mode="stream"} 1'])
  const { active, groups } = second.watch.window.snapshot()
  expect(active).toBe(0)
  expect(groups).toMatchObject([
    { judged: 1, resumes: 1, firstText: { count: 0 }, tools: { look_up: { calls: 1, failed: 0 } } },
  ])
})

test('counts a run once if a callback or a consumer reports it as well', async () => {
  await using claude = await startClaude({ script: [{ content: [text('It is on its way.')] }] })
  const { watch, samples } = watched()
  const agent = createAgent({
    client: new Anthropic({ apiKey: 'any', baseURL: claude.url }),
    request,
    use: [watch],
  })
  const events: AgentEvent[] = []
  await agent.run({ messages: question, callbacks: { onEvent: watch.onEvent } }).result
  for await (const event of agent.run({ messages: question })) {
    watch.onEvent(event)
    events.push(event)
  }
  // A caller that kept the events passes them on once more.
  for (const event of events.filter(({ type }) => type !== 'run.started')) watch.onEvent(event)
  expect(samples('millrace_runs_total')).toEqual([
    'millrace_runs_total{arm="streaming",gen_ai_request_model="claude-opus-5-5",mode="stream",outcome="completed",rung="stream"} 2',
  ])
  expect(watch.window.snapshot()).toMatchObject({ active: 0, groups: [{ judged: 2, requests: { count: 2 } }] })
})

test('labels a run with its requested model, and a request with the model that a middleware chose', async () => {
  await using claude = await startClaude({ script: [{ content: [text('It is on its way.')] }] })
  const { watch, samples } = watched()
  const cheaper: Middleware = {
    name: 'cheaper',
    turn: (scope, next) => next({ ...scope, request: { ...scope.request, model: 'claude-haiku-5' } }),
  }
  const agent = createAgent({
    client: new Anthropic({ apiKey: 'any', baseURL: claude.url }),
    request,
    use: [cheaper, watch],
  })
  await agent.run({ messages: question, request: { model: 'claude-sonnet-5-5' } }).result
  expect(samples('millrace_runs_total')[0]).toContain('gen_ai_request_model="claude-sonnet-5-5"')
  expect(samples('gen_ai_client_inference_duration_seconds_count')[0]).toContain(
    'gen_ai_request_model="claude-haiku-5"',
  )
})

test('takes the first chunk from the attempt that is timed', () => {
  const clock = manualClock()
  const timer = createRequestTimer(clock)
  const scope = { turn: 2, attempt: 2, mode: 'stream' } as const
  const head = { seq: 1, runId: 'run', at: 0, block: 0 }
  timer.start(scope)
  clock.advance(100)
  timer.see({ ...head, type: 'text.delta', turn: 2, attempt: 1, text: 'late words of the attempt before' })
  timer.see({ ...head, type: 'turn.started', turn: 2, attempt: 2, mode: 'stream' })
  clock.advance(100)
  timer.see({ ...head, type: 'block.started', turn: 2, attempt: 2, kind: 'text' })
  clock.advance(100)
  timer.see({ ...head, type: 'text.delta', turn: 2, attempt: 2, text: 'Hello' })
  expect(timer.times()).toEqual({ ms: 300, firstChunkMs: 200 })
  timer.start({ ...scope, mode: 'buffered' })
  timer.see({ ...head, type: 'block.started', turn: 2, attempt: 2, kind: 'text' })
  expect(timer.times()).toEqual({ ms: 0, firstChunkMs: undefined })
})

test('serves two agents at once', async () => {
  await using claude = await startClaude({ script: [{ content: [text('It is on its way.')] }] })
  const { watch } = watched()
  const client = new Anthropic({ apiKey: 'any', baseURL: claude.url })
  const agents = [createAgent({ client, request, use: [watch] }), createAgent({ client, request, use: [watch] })]
  await Promise.all(agents.map((agent) => agent.run({ messages: question }).result))
  expect(watch.window.snapshot()).toMatchObject({ active: 0, groups: [{ judged: 2 }] })
})
