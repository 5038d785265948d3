import { requireProgram } from '@millrace/config/programs'
import { type RedisCluster, type RedisServer, startRedis, startRedisCluster } from '@millrace/config/redis-server'
import type { RunStore, SessionStore, StateStore } from '@millrace/core'
import {
  type ManualClock,
  runStoreConformance,
  sessionStoreConformance,
  type StoreFixture,
  stateStoreConformance,
} from '@millrace/core/conformance'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisStores, redisStores } from '../src/index.ts'
import { clients, clusterClients, type OpenClient } from './clients.ts'

const redis = requireProgram('redis-server')

let cases = 0

/**
 * Three suites over two connections, as two processes have them. Each case has a prefix of its own, and a time limit that
 * no case reaches by moving its clock.
 */
function suites(open: () => readonly [OpenClient, OpenClient], expire: (key: string) => Promise<unknown>): void {
  function fixture<Store>(pick: (stores: RedisStores) => Store, clock: ManualClock): StoreFixture<Store> {
    const prefix = `case-${process.pid}-${cases++}:`
    const pair = open().map(({ client }) => redisStores({ client, prefix, clock, timeoutMs: 600_000 }))
    const [first, second] = pair
    if (first === undefined || second === undefined) throw new Error('two clients are needed')
    return {
      store: pick(first),
      peer: pick(second),
      expireEvents: async (runId) => void (await expire(`${prefix}{run:${runId}}:events`)),
      close: async () => void (await Promise.all(pair.map((stores) => stores.close()))),
    }
  }

  const runCases = runStoreConformance({
    create: (clock) => fixture<RunStore>(({ runs }) => runs, clock),
    timeoutMs: 60_000,
  })
  const sessionCases = sessionStoreConformance({
    create: (clock) => fixture<SessionStore>(({ sessions }) => sessions, clock),
    timeoutMs: 60_000,
  })
  const stateCases = stateStoreConformance({
    create: (clock) => fixture<StateStore>(({ state }) => state, clock),
    timeoutMs: 60_000,
  })
  it.each([...runCases, ...sessionCases, ...stateCases])('$name', ({ run }) => expect(run()).resolves.toBeUndefined())
}

redis.describe('one server', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.close())

  describe.each(Object.keys(clients))('by %s', (library) => {
    let pair: readonly [OpenClient, OpenClient]
    beforeAll(async () => {
      pair = [await openOne(clients, library, server), await openOne(clients, library, server)]
    })
    afterAll(async () => void (await Promise.all(pair.map(({ end }) => end()))))
    suites(
      () => pair,
      (key) => server.command('del', key),
    )
  })
})

redis.describe('a Cluster of three nodes', () => {
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startRedisCluster()
  })
  afterAll(() => cluster.close())

  describe.each(Object.keys(clusterClients))('by %s', (library) => {
    let pair: readonly [OpenClient, OpenClient]
    beforeAll(async () => {
      pair = [await openOne(clusterClients, library, cluster), await openOne(clusterClients, library, cluster)]
    })
    afterAll(async () => void (await Promise.all(pair.map(({ end }) => end()))))
    suites(
      () => pair,
      async (key) => cluster.nodes[0]?.command('-c', 'del', key),
    )
  })
})

async function openOne<Server>(
  from: Readonly<Record<string, (server: Server) => Promise<OpenClient>>>,
  library: string,
  server: Server,
): Promise<OpenClient> {
  const open = from[library]
  if (open === undefined) throw new Error(`no client is called "${library}"`)
  return open(server)
}
