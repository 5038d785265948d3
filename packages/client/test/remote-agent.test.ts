import Anthropic from '@anthropic-ai/sdk'
import {
  adaptLoop,
  type DrivableAgent,
  type AgentEvent,
  createAgent,
  createToolLedger,
  defineTool,
  type Message,
  type RunInput,
  type RunResult,
} from '@millrace/core'
import {
  type FaultRule,
  type ScriptedClaude,
  startClaude,
  text,
  thinking,
  toolUse,
  type Turn,
  validateMessages,
} from '@millrace/testing'
import { collect } from '@millrace/testing/async'
import { afterEach, describe, expect, it } from 'vitest'
import { remoteAgent, type RemoteAgentOptions } from '../src/index.ts'
import { type Answer, scriptedFetch, type ScriptedServer } from './scripted-fetch.ts'

const runId = '018f4b1e-0000-4000-8000-000000000001'
const input: RunInput = { messages: [{ role: 'user', content: 'Charge my card' }], runId }

const servers: ScriptedClaude[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

const charge = { description: '', inputSchema: { jsonSchema: { type: 'object' } } } as const

/** A run in this process, as the service would do it. */
async function serve(
  turns: readonly Turn[],
  faults: readonly FaultRule[] = [],
  given: RunInput = input,
): Promise<{ events: AgentEvent[]; result: RunResult }> {
  const claude = await startClaude({
    script: ({ turn }) => turns[turn - 1] ?? { content: [text('and so on')] },
    faults,
  })
  servers.push(claude)
  const agent = createAgent({
    client: new Anthropic({ apiKey: 'sk-test', baseURL: claude.url, maxRetries: 0 }),
    request: { model: 'claude-opus-5-5', max_tokens: 1000 },
    recovery: { backoff: 0 },
    tools: [
      defineTool({ ...charge, name: 'charge', run: () => 'charged' }),
      defineTool({
        ...charge,
        name: 'fail',
        run() {
          throw new Error('no')
        },
      }),
    ],
  })
  const run = agent.run(given)
  return { events: await collect(run), result: await run.result }
}

function remote(server: ScriptedServer, options: Partial<RemoteAgentOptions> = {}): DrivableAgent {
  const random = (): number => 0
  return remoteAgent({
    url: 'http://service.test',
    fetch: server.fetch,
    runtime: { random },
    reconnect: { attempts: 1, minDelayMs: 0 },
    ...options,
  })
}

async function finish(
  agent: DrivableAgent,
  given: RunInput = input,
): Promise<{ events: AgentEvent[]; result: RunResult }> {
  const run = agent.run(given)
  return { events: await collect(run), result: await run.result }
}

const twoTurns: readonly Turn[] = [
  { content: [thinking('hm'), text('One moment.'), toolUse('charge', { cents: 5 }), toolUse('fail', {})] },
  { content: [toolUse('charge', { cents: 7 })] },
  { content: [text('Done.')] },
]

const bodies = (events: readonly AgentEvent[]): unknown[] =>
  events.map(({ at: _at, ...event }) => ('durationMs' in event ? { ...event, durationMs: 0 } : event))

describe('a remote run', () => {
  const cut = (turn: number): FaultRule => ({ kind: 'destroy', at: { event: 9 }, turn, attempt: 1 })

  it.each<[string, readonly Turn[], readonly FaultRule[]]>([
    ['answers', [{ content: [text('Hello.')] }], []],
    ['calls tools', twoTurns, []],
    ['is cut short by max_tokens', [{ content: [text('He'), toolUse('charge', {})], stopReason: 'max_tokens' }], []],
    ['is refused', [{ content: [text('No')], stopReason: 'refusal' }], []],
    ['recovers in its first turn', twoTurns, [cut(1)]],
    [
      'recovers in its last turn',
      [...twoTurns.slice(0, 2), { content: [text('Done and so on, and on, and on.'.repeat(9))] }],
      [cut(3)],
    ],
    ['fails', [{ content: [text('never')] }], [{ kind: 'status', status: 400 }]],
  ])('has the events and the result of a local run that %s', async (_name, turns, faults) => {
    const local = await serve(turns, faults)
    const server = scriptedFetch(local.events)
    const there = await finish(remote(server))
    expect(bodies(there.events)).toEqual(bodies(local.events))
    const { error, ...result } = local.result
    expect(there.result).toMatchObject(result)
    expect(there.result.error?.code).toBe(error?.code)
    expect(server.requests.length).toBe(1)
  })

  it('survives a lost connection at every event', async () => {
    const local = await serve(twoTurns)
    for (let index = 0; index < local.events.length; index++) {
      const server = scriptedFetch(local.events, [{ events: local.events.slice(0, index), breaks: true }])
      const there = await finish(remote(server))
      expect(there.result).toMatchObject(local.result)
    }
  })

  it('sends headers, metadata, and what its consumer can retract', async () => {
    const local = await serve(twoTurns)
    const cases: [RunInput, string][] = [
      [input, 'retract'],
      [{ ...input, callbacks: { onText: () => undefined } }, 'continue'],
      [{ ...input, callbacks: { onText: () => undefined, onRetract: () => undefined } }, 'retract'],
      [{ ...input, retraction: 'hold' }, 'hold'],
    ]
    for (const [given, retraction] of cases) {
      const server = scriptedFetch(local.events)
      const agent = remote(server, {
        headers: ({ user }) => ({ 'x-user': typeof user === 'string' ? user : '' }),
        metadata: () => ({ tenant: 'blue' }),
      })
      await finish(agent, { ...given, user: 'ada', mode: 'buffered' })
      expect(server.requests[0]?.body).toEqual({
        messages: input.messages,
        retraction,
        mode: 'buffered',
        metadata: { tenant: 'blue' },
        runId,
      })
      expect(server.requests[0]?.headers.get('x-user')).toBe('ada')
      expect(server.requests[0]?.url.search).toBe('?content=raw')
    }
  })

  it('keeps its own id and decision, and sends a UUID', async () => {
    const local = await serve(twoTurns)
    const server = scriptedFetch(local.events)
    const decision = { mode: 'stream', arm: 'streaming', reason: 'flag', flag: 'use_streaming', tools: {} } as const
    const { events, result } = await finish(remote(server), { ...input, runId: 'mine', decision })
    expect([result.runId, events[0]?.runId]).toEqual(['mine', 'mine'])
    expect(events[0]).toMatchObject({ type: 'run.started', decision })
    expect(server.requests[0]?.body).toMatchObject({ mode: 'stream', runId: expect.stringMatching(/^[\da-f-]{36}$/) })
  })

  it('writes executed calls into the ledger', async () => {
    const local = await serve(twoTurns)
    const ledger = createToolLedger()
    await finish(remote(scriptedFetch(local.events), { readOnlyTools: ['fail'] }), { ...input, ledger })
    const calls = ledger.entries.toSorted((a, b) => JSON.stringify(a.input).localeCompare(JSON.stringify(b.input)))
    expect(calls).toMatchObject([
      { name: 'charge', input: { cents: 5 }, outcome: 'ok', readOnly: false, result: 'charged' },
      { name: 'charge', input: { cents: 7 }, outcome: 'ok', readOnly: false },
      { name: 'fail', outcome: 'error', readOnly: true },
    ])
    expect(ledger.entries[0]?.idempotencyKey).toMatch(`${runId}:`)
  })

  it('refuses request parameters and invalid input at once', () => {
    const agent = remote(scriptedFetch([]))
    expect(() => agent.run({ ...input, request: { model: 'x' } })).toThrow(expect.objectContaining({ path: 'request' }))
    expect(() => agent.run({ messages: [] })).toThrow(
      expect.objectContaining({ code: 'invalid_input', path: 'messages' }),
    )
  })

  it.each([
    ['ok', undefined],
    ['cancelled', { turn: 1, committed: 0 }],
  ] as const)('reports a salvaged turn whose calls ended %s with unfinished = %j', async (outcome, unfinished) => {
    const { events } = await serve(twoTurns)
    const upTo = events.findLastIndex((event) => event.type === 'tool.finished' && event.turn === 1) + 1
    const turn = events.slice(0, upTo).map((event): AgentEvent => {
      if (event.type === 'turn.finished') return { ...event, stopReason: null, salvaged: true }
      return event.type === 'tool.finished' ? { ...event, outcome } : event
    })
    const error = { code: 'store_unavailable', message: 'no store', retryable: false } as const
    const usage = { input_tokens: 1, output_tokens: 1 }
    const last = { type: 'run.finished', outcome: 'failed', stopReason: null, usage, error } as const
    const { result } = await finish(remote(scriptedFetch([...turn, { ...last, seq: upTo + 1, runId, at: 1 }])))
    expect(result).toMatchObject({ outcome: 'failed', error, usage })
    expect(result.unfinished).toEqual(unfinished)
  })

  it('fails when the service sends no raw content', async () => {
    const local = await serve(twoTurns)
    const { result } = await finish(remote(scriptedFetch(local.events, [{ withoutContent: true }])))
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'protocol_error', retryable: false } })
  })
})

const dead: readonly Answer[] = Array.from({ length: 9 }, () => ({ refused: true }))

describe('a service that dies', () => {
  it('fails at every event with valid history, and settles every call', async () => {
    const local = await serve(twoTurns)
    for (let index = 0; index < local.events.length; index++) {
      const received = local.events.slice(0, index)
      const ledger = createToolLedger()
      const { events, result } = await finish(remote(scriptedFetch(local.events, [{ events: received }, ...dead])), {
        ...input,
        ledger,
      })
      expect(result).toMatchObject({ outcome: 'failed', error: { retryable: true } })
      expect(validateMessages([...result.messages, { role: 'user', content: 'go on' }])).toBeUndefined()
      const isCall = (block: { type: string }): boolean => block.type === 'tool_use'
      const asked = received.flatMap((event) => (event.type === 'turn.finished' ? event.content.filter(isCall) : []))
      expect(new Set(ledger.entries.map(({ toolUseId }) => toolUseId))).toEqual(new Set(asked.map(({ id }) => id)))
      expect(ledger.entries).toHaveLength(asked.length)
      const settled = received.filter(({ type }) => type === 'tool.finished').length
      expect(ledger.entries.filter(({ outcome }) => outcome === 'unknown')).toHaveLength(asked.length - settled)
      expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'failed' })
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, position) => position + 1))
    }
  })

  it('is told to stop, since it may be alive', async () => {
    const local = await serve(twoTurns)
    const server = scriptedFetch(local.events, [{ events: local.events.slice(0, 5) }, { status: 404 }])
    const { result } = await finish(remote(server))
    expect(result.error?.code).toBe('not_found')
    expect(server.requests.at(-1)?.url.pathname).toBe(`/runs/${runId}/cancel`)
  })

  it('is not asked again when it refuses the run', async () => {
    const server = scriptedFetch([], [{ status: 403 }])
    const { result } = await finish(remote(server))
    expect([result.error?.code, server.requests.length]).toEqual(['permission', 1])
  })

  it('hands over to the legacy loop at every event, with every call settled', async () => {
    const local = await serve(twoTurns)
    for (let index = 0; index < local.events.length; index++) {
      const received = local.events.slice(0, index)
      const handed: (readonly Message[])[] = []
      const loop = adaptLoop({
        legacy: (messages: readonly Message[]) => {
          handed.push(messages)
          return Promise.resolve('legacy')
        },
        agent: remote(scriptedFetch(local.events, [{ events: received }, ...dead])),
        toInput: (messages) => ({ messages }),
        fromResult: ({ text: answer }) => answer,
        handover: {
          toArgs: ({ messages }) => [messages],
          fromLegacy: (answer) => ({ messages: [{ role: 'assistant', content: answer }], text: answer }),
        },
        useStreaming: () => true,
      })
      const answer = await loop([{ role: 'user', content: 'Charge my card' }])
      expect(answer).toContain('legacy')
      expect(handed).toHaveLength(1)
      // Every call that the service may have made is in what the legacy loop goes on from, with its result.
      const asked = received.filter(
        (event) => event.type === 'turn.finished' && event.content.some(({ type }) => type === 'tool_use'),
      )
      const results = JSON.stringify(handed[0]).split('"tool_result"').length - 1
      expect(results).toBe(asked.length === 0 ? 0 : asked.length + 1)
      expect(validateMessages(handed[0])).toBeUndefined()
    }
  })
})

describe('an interrupt', () => {
  async function interrupted(
    script: readonly Answer[],
    options: Partial<RemoteAgentOptions> = {},
  ): Promise<{ result: RunResult; server: ScriptedServer }> {
    const local = await serve(twoTurns)
    const upTo = local.events.findIndex(({ type }) => type === 'tool.started')
    const server = scriptedFetch(local.events, [{ events: local.events.slice(0, upTo), stalls: true }, ...script])
    const run = remote(server, options).run(input)
    for await (const event of run) if (event.type === 'turn.finished') run.interrupt('enough')
    return { result: await run.result, server }
  }

  it('cancels the run at the service, and leaves when it does not end', async () => {
    const { result, server } = await interrupted([], { interruptTimeoutMs: 0 })
    expect(result).toMatchObject({ outcome: 'interrupted' })
    expect(result).not.toHaveProperty('error')
    expect(server.requests[1]).toMatchObject({ method: 'POST', body: { reason: 'enough' } })
    expect(validateMessages([...result.messages, { role: 'user', content: 'go on' }])).toBeUndefined()
    expect(JSON.stringify(result.messages)).toContain('outcome of this call is unknown')
    expect(server.openBodies()).toBe(0)
  })

  it('ends the run when the service cannot be reached', async () => {
    const { result } = await interrupted([{ refused: true }, { refused: true }, { refused: true }])
    expect(result.outcome).toBe('interrupted')
  })

  it('before the start sends no request', async () => {
    const server = scriptedFetch([])
    const { result } = await finish(remote(server), { ...input, signal: AbortSignal.abort() })
    expect([result.outcome, server.requests.length, result.messages]).toEqual(['interrupted', 0, input.messages])
  })
})
