import type { Clock, RunStore, SessionStore } from '@millrace/core'
import { postgresStores } from '@millrace/store-postgres'
import { sqliteStores } from '@millrace/store-sqlite'
import { Pool } from 'pg'

export interface DurableStores {
  readonly runs: RunStore
  readonly sessions: SessionStore
  close(): Promise<void>
}

/** Opens the stores at a place: the URL of a Postgres database, or the path of an SQLite file. */
export function durableStores(place: string, clock?: Clock): DurableStores {
  const options = clock === undefined ? {} : { clock }
  if (!place.startsWith('postgresql:')) return sqliteStores({ path: place, ...options })
  const pool = new Pool({ connectionString: place })
  const { runs, sessions, close } = postgresStores({ pool, ...options })
  return {
    runs,
    sessions,
    async close() {
      await close()
      await pool.end()
    },
  }
}
