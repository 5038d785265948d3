import Anthropic from '@anthropic-ai/sdk'
import { adaptLoop, type AgentEvent, createAgent, type FlagClient, type Message, type RunInput } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { createHandler, type Handler } from '@millrace/server'
import { type FaultPlan, startClaude, text } from '@millrace/testing'
import { sseDecoder } from '@millrace/wire'
import { describe, expect, onTestFinished, test } from 'vitest'
import { adapters } from './support/adapters.ts'

const alice = { 'x-user': 'alice' }

interface Served {
  readonly handler: Handler
  /** The conversations that the legacy loop was called with. */
  readonly legacyCalls: (readonly Message[])[]
  readonly errors: unknown[]
}

interface ServeOptions {
  readonly faults?: FaultPlan
  readonly flags?: FlagClient
  readonly pace?: number
}

/** A handler over a legacy loop that streams through an agent, with one store and one conversation for both. */
async function serveAdapted({ faults = [], flags, pace }: ServeOptions = {}): Promise<Served> {
  const claude = await startClaude({
    script: ({ messages }) => ({ content: [text(`streamed ${messages.length}`)] }),
    faults,
    ...(pace !== undefined && { pace: { eventDelay: pace } }),
  })
  onTestFinished(() => claude.close())
  const runs = memoryRunStore()
  const agent = createAgent({
    client: new Anthropic({ apiKey: 'any', baseURL: claude.url, maxRetries: 0 }),
    request: { model: 'claude-opus-5-5', max_tokens: 100 },
    journal: runJournal(runs),
    recovery: { backoff: 0 },
  })
  const legacyCalls: (readonly Message[])[] = []
  const loop = adaptLoop({
    legacy: async ({ messages }: RunInput & { readonly messages: readonly Message[] }) => {
      legacyCalls.push(messages)
      return `legacy ${messages.length}`
    },
    agent,
    toInput: ({ messages }) => ({ messages }),
    fromInput: (input) => [input],
    fromResult: ({ text: answer }) => answer,
    useStreaming: () => (flags ? undefined : true),
    ...(flags && { flags }),
  })
  const errors: unknown[] = []
  const handler = createHandler({
    agent: loop,
    runs,
    sessions: memorySessionStore(),
    identify: (request) => request.headers.get('x-user') ?? undefined,
    onError: (error) => void errors.push(error),
  })
  return { handler, legacyCalls, errors }
}

async function eventsOf(response: Response): Promise<AgentEvent[]> {
  const decoder = sseDecoder()
  const events: AgentEvent[] = []
  const reader = response.body?.getReader()
  for (;;) {
    const chunk = await reader?.read()
    if (chunk?.value === undefined) return events
    for (const event of decoder.push(chunk.value)) if (event.type !== 'unknown') events.push(event)
  }
}

/** The first event of a connection has its own time, and one that follows a delta that of the event before. */
function undated({ at: _at, ...event }: AgentEvent): object {
  return event
}

const refused: FaultPlan = [{ kind: 'status', status: 400, times: 'forever' }]
const off: FlagClient = { getBooleanDetails: () => ({ value: false }) }

describe.each(adapters)('an adapted loop behind $name', (adapter) => {
  async function mount(options?: ServeOptions) {
    const served = await serveAdapted(options)
    const { url, fetch } = await adapter.mount(served.handler)
    const post = (path: string, body: object, accept = 'text/event-stream'): Promise<Response> =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept, ...alice },
        body: JSON.stringify(body),
      })
    const get = (path: string): Promise<Response> => fetch(`${url}${path}`, { headers: alice })
    return { ...served, post, get }
  }

  test('streams through the agent', async () => {
    const { post, legacyCalls, errors } = await mount()
    const events = await eventsOf(await post('/runs', { input: 'one' }))
    expect(events.some(({ type }) => type === 'text.delta')).toBe(true)
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
    expect(legacyCalls).toEqual([])
    expect(errors).toEqual([])
  })

  test.each([
    ['when the flag is off', { flags: off }],
    ['when the stream is refused', { faults: refused }],
  ])('falls back to the legacy loop %s, on one numbering', async (_name, options) => {
    const { post, get, legacyCalls, errors } = await mount(options)
    const response = await post('/runs', { input: 'one' })
    const events = await eventsOf(response)
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1))
    expect(legacyCalls).toHaveLength(1)
    expect(errors).toEqual([])
    const stored = await eventsOf(await get(`/runs/${response.headers.get('millrace-run-id')}/events`))
    expect(stored).toEqual(events)
  })

  test.each([
    ['of a stream', {}],
    ['of a fallback', { faults: refused }],
  ])('can be resumed at every event %s', async (_name, options) => {
    const { post, get } = await mount(options)
    const response = await post('/runs', { input: 'one' })
    const runId = response.headers.get('millrace-run-id')
    const events = (await eventsOf(response)).map(undated)
    for (let seq = 0; seq < events.length; seq++) {
      const rest = await eventsOf(await get(`/runs/${runId}/events?after=${seq}`))
      expect(rest.map(undated)).toEqual(events.slice(seq))
    }
    expect((await get(`/runs/${runId}/events?after=${events.length}`)).status).toBe(204)
  })

  test('keeps one conversation, whichever of the two answers', async () => {
    const { post, legacyCalls, errors } = await mount({ faults: [{ kind: 'status', status: 400, times: 1 }] })
    const ask = async (input: string): Promise<unknown> =>
      (await post('/runs', { input, sessionId: 'chat' }, 'application/json')).json()
    expect(await ask('one')).toMatchObject({ outcome: 'completed', text: 'legacy 1' })
    expect(await ask('two')).toMatchObject({ outcome: 'completed', text: 'streamed 3' })
    expect(legacyCalls).toHaveLength(1)
    expect(errors).toEqual([])
  })

  test('can be cancelled', async () => {
    const { post, handler } = await mount({ pace: 3_600_000 })
    const response = await post('/runs', { input: 'one' })
    const events = eventsOf(response)
    const cancelled = await post(`/runs/${response.headers.get('millrace-run-id')}/cancel`, {})
    expect(await cancelled.json()).toMatchObject({ cancelled: true })
    expect((await events).at(-1)).toMatchObject({ type: 'run.finished', outcome: 'interrupted' })
    expect(handler.openRuns).toBe(0)
  })
})
