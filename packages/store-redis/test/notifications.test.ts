import { requireProgram } from '@millrace/config/programs'
import { startRedisCluster } from '@millrace/config/redis-server'
import Anthropic from '@anthropic-ai/sdk'
import { createAgent } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { startClaude, text } from '@millrace/testing'
import { manualClock } from '@millrace/testing/async'
import { expect, it, onTestFinished } from 'vitest'
import { redisStores } from '../src/index.ts'
import { clients, clusterClients } from './clients.ts'
import { changedClient, deltas, following, leaseMs, range, recordOf, serverFor, storesOn } from './opened.ts'

const redis = requireProgram('redis-server')

redis.describe('notifications', () => {
  it.each(Object.keys(clients))('come over one connection, whatever is followed, by %s', async (library) => {
    const server = await serverFor()
    const stores = await storesOn(server, { library })
    const leaving = new AbortController()
    const readers = await Promise.all(
      range(1, 20).map(async (index) => {
        await stores.runs.create(recordOf(`run-${index}`), leaseMs)
        await stores.runs.append(`run-${index}`, 1, deltas(`run-${index}`, 1, 1))
        return following(stores, `run-${index}`, leaving.signal)
      }),
    )
    const watched = stores.state.watch('key', leaving.signal)[Symbol.asyncIterator]()
    await watched.next()
    await Promise.all(readers.map((reader) => reader.reached(1)))
    const list = await server.command('client', 'list', 'type', 'pubsub')
    expect(list.split('\n')).toHaveLength(1)
    leaving.abort()
    await Promise.all(readers.map(({ ended }) => ended))
    await watched.return?.()
  })

  it.each(Object.keys(clients))('bring a cancel to its owner on another instance, by %s', async (library) => {
    const server = await serverFor()
    const owner = await storesOn(server, { library })
    const other = await storesOn(server, { library })
    await owner.runs.create(recordOf('run'), leaseMs)
    const reason = owner.runs.cancelled?.('run', new AbortController().signal)
    await other.runs.cancel('run', 'user')
    expect(await reason).toBe('user')
  })

  it.each(Object.keys(clusterClients))('reach every node of a Cluster, by %s', async (library) => {
    const cluster = await startRedisCluster()
    onTestFinished(() => cluster.close())
    const pair = [await clusterClients[library]?.(cluster), await clusterClients[library]?.(cluster)].map((opened) => {
      if (opened === undefined) throw new Error('unreachable')
      onTestFinished(() => opened.end())
      // Nothing is found by looking.
      return redisStores({ client: opened.client, pollMs: 1_000_000 })
    })
    const [writer, reader] = pair
    if (writer === undefined || reader === undefined) throw new Error('unreachable')
    // Ids that lie on all three nodes.
    const runIds = range(1, 12).map((index) => `run-${index}`)
    const readers = await Promise.all(
      runIds.map(async (runId) => {
        await writer.runs.create(recordOf(runId), leaseMs)
        return { runId, ...following(reader, runId) }
      }),
    )
    for (const seq of range(1, 5)) {
      for (const { runId, reached } of readers) {
        await writer.runs.append(runId, 1, deltas(runId, seq, seq))
        await reached(seq)
      }
    }
    await Promise.all(runIds.map((runId) => writer.runs.append(runId, 1, [], { outcome: 'completed' })))
    await Promise.all(readers.map(({ ended }) => ended))
    expect(readers.map(({ seqs }) => seqs)).toEqual(readers.map(() => range(1, 5)))
  })
})

redis.describe('notifications that are lost', () => {
  /** A client whose subscriptions bring nothing. */
  async function deafStores(pollMs: number) {
    const server = await serverFor()
    const client = changedClient(server, (own) => ({
      duplicate: () => changedClient(server, () => ({ subscribe: () => new Promise(() => {}) })),
      call: (command, args) => own.call(command, args),
    }))
    return { deaf: redisStores({ client, pollMs }), other: await storesOn(server) }
  }

  it('delay readers and watchers by no more than pollMs', async () => {
    const { deaf, other } = await deafStores(20)
    await other.runs.create(recordOf('run'), leaseMs)
    const reader = following(deaf, 'run')
    const watched = deaf.state.watch('key', new AbortController().signal)[Symbol.asyncIterator]()
    expect(await watched.next()).toMatchObject({ value: undefined })
    await other.runs.append('run', 1, deltas('run', 1, 2))
    await reader.reached(2)
    await other.state.set('key', 'a', 0)
    expect(await watched.next()).toMatchObject({ value: { value: 'a', version: 1 } })
    await other.runs.append('run', 1, [], { outcome: 'completed' })
    await reader.ended
  })

  it('delay a cancel to the next renewal, 10 s after the last, where nothing is appended', async () => {
    const { deaf, other } = await deafStores(1000)
    const clock = manualClock()
    const claude = await startClaude({
      script: [{ content: [text('One two three')] }],
      chunking: 'words',
      faults: [{ kind: 'stall', at: { event: 4 } }],
    })
    onTestFinished(() => claude.close())
    const agent = createAgent({
      client: new Anthropic({ apiKey: 'any', baseURL: claude.url }),
      request: { model: 'claude-opus-5-5', max_tokens: 1000 },
      journal: runJournal(deaf.runs),
      runtime: { clock },
    })
    const run = agent.run({ messages: [{ role: 'user', content: 'Hello?' }], runId: 'run', mode: 'stream' })
    for await (const { type } of run) if (type === 'text.delta') break
    await clock.timer(25)
    clock.advance(25)
    await following(other, 'run').reached(4)
    expect(await other.runs.cancel('run', 'user')).toBe(true)
    clock.advance(9975)
    expect(await run.result).toMatchObject({ outcome: 'interrupted' })
    expect(await other.runs.snapshot('run')).toMatchObject({ closed: true, outcome: 'interrupted' })
  })
})
