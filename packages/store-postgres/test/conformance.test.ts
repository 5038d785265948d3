import { sized } from '@millrace/config/sized'
import { type PgbouncerServer, startPgbouncer } from '@millrace/config/postgres-server'
import {
  type ConformanceCase,
  runStoreConformance,
  sessionStoreConformance,
  type StoreFixture,
  stateStoreConformance,
} from '@millrace/core/conformance'
import type { Clock } from '@millrace/core'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PostgresStores, type PostgresStoresOptions, postgresStores } from '../src/index.ts'
import { newSchema, requirePostgres, sharedServer } from './support/server.ts'

const eventsMs = 60_000
const timeoutMs = 60_000

type Setup = () => Omit<PostgresStoresOptions, 'schema' | 'clock' | 'retention'>

/** The three suites, with two instances over one new schema for each case. */
function suites(setup: Setup): Readonly<Record<'runs' | 'sessions' | 'state', readonly ConformanceCase[]>> {
  function fixture<Store>(clock: Clock, pick: (stores: PostgresStores) => Store): StoreFixture<Store> {
    const options = { ...setup(), schema: newSchema(), clock, retention: { eventsMs } }
    const [own, peer] = [postgresStores(options), postgresStores(options)]
    const close = async (): Promise<void> => void (await Promise.all([own.close(), peer.close()]))
    return { store: pick(own), peer: pick(peer), close }
  }
  return {
    runs: runStoreConformance({
      create: (clock) => ({ ...fixture(clock, ({ runs }) => runs), expireEvents: () => clock.advance(eventsMs) }),
      timeoutMs,
    }),
    sessions: sessionStoreConformance({ create: (clock) => fixture(clock, ({ sessions }) => sessions), timeoutMs }),
    state: stateStoreConformance({ create: (clock) => fixture(clock, ({ state }) => state), timeoutMs }),
  }
}

let pool: Pool
let bounced: Pool

const setups: Readonly<Record<string, Setup>> = {
  'that notifies': () => ({ pool, pollMs: 60_000 }),
  'behind pgbouncer, that polls': () => ({ pool: bounced, listenPool: false, pollMs: 5 }),
  'that only polls': () => ({ pool, listenPool: false, pollMs: 5 }),
  'behind pgbouncer, that listens past it': () => ({ pool: bounced, listenPool: pool, pollMs: 60_000 }),
}

requirePostgres('pgbouncer').describe('over a server', () => {
  const server = sharedServer()
  let bouncer: PgbouncerServer
  beforeAll(async () => {
    bouncer = await startPgbouncer(server())
    pool = new Pool({ connectionString: server().url })
    bounced = new Pool({ connectionString: bouncer.url })
  })
  afterAll(async () => {
    await Promise.all([pool.end(), bounced.end()])
    await bouncer.close()
  })

  describe.each(Object.entries(setups).slice(0, sized({ quick: 2, long: 4 })))('%s', (_setup, setup) => {
    describe.each(Object.entries(suites(setup)))('%s', (_name, cases) => {
      it.each(cases)('$name', ({ run }) => expect(run()).resolves.toBeUndefined())
    })
  })
})
