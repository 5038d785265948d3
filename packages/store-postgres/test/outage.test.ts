import { type PostgresServer, startPostgres } from '@millrace/config/postgres-server'
import Anthropic from '@anthropic-ai/sdk'
import { createAgent, defineTool } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { startClaude, text, toolUse } from '@millrace/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { deltas, recordOf, storedEvents } from './support/events.ts'
import { openStores, requirePostgres } from './support/server.ts'

const leaseMs = 30_000
const patient = { timeoutMs: 100_000 }

async function ownServer(): Promise<PostgresServer> {
  const server = await startPostgres()
  onTestFinished(() => server.close())
  return server
}

requirePostgres().describe('a server that goes away', () => {
  test('and comes back has lost nothing, and calls, readers and listeners go on', async () => {
    const server = await ownServer()
    const [owner, other] = [openStores(server.url, patient), openStores(server.url, patient)]
    await owner.runs.create(recordOf('run-1'), leaseMs)
    await owner.runs.append('run-1', 1, deltas('run-1', 1, 3))
    const seen: number[] = []
    const reading = (async () => {
      for await (const batch of other.runs.read('run-1', 0)) seen.push(...batch.map(({ seq }) => seq))
    })()
    await vi.waitUntil(() => seen.length === 3)
    await server.stop()
    const appended = owner.runs.append('run-1', 1, deltas('run-1', 4, 6))
    const renewed = owner.runs.renew('run-1', 1, leaseMs)
    const counted = owner.state.add('stage', { n: 1 })
    await server.start()
    expect(await appended).toEqual({ status: 'appended', tail: 6 })
    expect(await renewed).toEqual({ status: 'renewed' })
    expect(await counted).toEqual({ n: 1 })
    await vi.waitUntil(() => seen.length === 6)
    await owner.runs.append('run-1', 1, deltas('run-1', 7, 7), { outcome: 'completed' })
    await reading
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(await storedEvents(other.runs, 'run-1')).toEqual(deltas('run-1', 1, 7))
  })

  test('for longer than `timeoutMs` is a typed error of every method', async () => {
    const server = await ownServer()
    await openStores(server.url, patient).runs.create(recordOf('run-1'), leaseMs)
    const { runs, sessions, state } = openStores(server.url, { timeoutMs: 200 })
    await server.stop()
    const signal = AbortSignal.timeout(100_000)
    const calls: (() => Promise<unknown>)[] = [
      () => runs.create(recordOf('run-2'), leaseMs),
      () => runs.acquire('run-1', leaseMs),
      () => runs.renew('run-1', 1, leaseMs),
      () => runs.append('run-1', 1, deltas('run-1', 1, 1)),
      () => runs.snapshot('run-1'),
      () => runs.cancel('run-1', 'user'),
      () => runs.abandoned(1),
      () => runs.list({ limit: 1 }),
      () => runs.delete('run-1'),
      () => runs.read('run-1', 0, signal)[Symbol.asyncIterator]().next(),
      async () => runs.cancelled?.('run-1', signal),
      () => sessions.load('chat'),
      () => sessions.claim('chat', 'run-1', 1),
      () => sessions.release('chat', 'run-1'),
      () => sessions.commit('chat', 'run-1', 0, []),
      () => sessions.delete('chat'),
      () => sessions.list({ owner: 'ada', limit: 1 }),
      () => state.get('plan'),
      () => state.set('plan', 1, 0),
      () => state.add('stage', { n: 1 }),
      () => state.counters('stage'),
      () => state.clearCounters('stage'),
      () => state.watch('plan', signal)[Symbol.asyncIterator]().next(),
    ]
    const results = await Promise.allSettled(calls.map((call) => call()))
    for (const [index, result] of results.entries())
      expect(result, String(calls[index])).toMatchObject({
        status: 'rejected',
        reason: { code: 'store_unavailable', retryable: true },
      })
    await server.start()
    const later = openStores(server.url, patient)
    expect(await later.runs.snapshot('run-1')).toMatchObject({ tail: 0, closed: false })
    expect(await later.runs.list({ limit: 9 })).toHaveLength(1)
  })

  test('in the middle of a run does not end it: its tool runs once, and all of its events are stored', async () => {
    const server = await ownServer()
    const { runs } = openStores(server.url, patient)
    const claude = await startClaude({
      script: [{ content: [text('I charge it. '), toolUse('charge', { cents: 5 })] }, { content: [text('Paid.')] }],
    })
    onTestFinished(() => claude.close())
    let charges = 0
    const agent = createAgent({
      client: new Anthropic({ baseURL: claude.url, apiKey: 'any' }),
      request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
      tools: [
        defineTool({
          name: 'charge',
          description: '',
          inputSchema: { jsonSchema: { type: 'object' } },
          async run() {
            charges++
            await server.stop()
            await server.start()
            return 'charged'
          },
        }),
      ],
      journal: runJournal(runs),
    })
    const result = await agent.run({ messages: [{ role: 'user', content: 'Charge it.' }], runId: 'run-1' }).result
    expect(result).toMatchObject({ outcome: 'completed' })
    expect(charges).toBe(1)
    const events = await storedEvents(runs, 'run-1')
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
  })
})
