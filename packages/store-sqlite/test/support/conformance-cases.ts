import {
  type ConformanceCase,
  runStoreConformance,
  sessionStoreConformance,
  type StoreFixture,
  stateStoreConformance,
} from '@millrace/core/conformance'
import type { Clock } from '@millrace/core'
import { type SqliteStores, sqliteStores } from '../../src/index.ts'
import { newDatabaseFile } from './database-file.ts'

const eventsMs = 60_000

/** Two connections to one new file, as two processes would have them. */
function fixture<Store>(clock: Clock, pick: (stores: SqliteStores) => Store): StoreFixture<Store> {
  const { path, remove } = newDatabaseFile()
  const options = { path, clock, pollMs: 5, retention: { eventsMs } }
  const [own, peer] = [sqliteStores(options), sqliteStores(options)]
  return {
    store: pick(own),
    peer: pick(peer),
    async close() {
      await Promise.all([own.close(), peer.close()])
      remove()
    },
  }
}

/** The three suites, over a file of its own for each case. */
export const conformanceCases: Readonly<Record<'runs' | 'sessions' | 'state', readonly ConformanceCase[]>> = {
  runs: runStoreConformance({
    create: (clock) => ({ ...fixture(clock, ({ runs }) => runs), expireEvents: () => clock.advance(eventsMs) }),
    timeoutMs: 60_000,
  }),
  sessions: sessionStoreConformance({
    create: (clock) => fixture(clock, ({ sessions }) => sessions),
    timeoutMs: 60_000,
  }),
  state: stateStoreConformance({ create: (clock) => fixture(clock, ({ state }) => state), timeoutMs: 60_000 }),
}
