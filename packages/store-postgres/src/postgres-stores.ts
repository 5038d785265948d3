import { randomUUID } from 'node:crypto'
import type { RunStore, SessionStore, StateStore } from '@millrace/core'
import { guarded } from '@millrace/core/kit'
import { type Calls, createCalls } from './calls.ts'
import { createChanges } from './changes.ts'
import { runKey, stateKey } from './context.ts'
import { createNotifications } from './notifications.ts'
import { type PostgresStoresOptions, readSettings, type Settings } from './options.ts'
import { integer, restored, stored, text } from './rows.ts'
import { runStore } from './run-store.ts'
import { sessionStore } from './session-store.ts'
import { stateStore } from './state-store.ts'
import { storeError } from './store-error.ts'

export interface PostgresStores {
  readonly runs: RunStore
  readonly sessions: SessionStore
  readonly state: StateStore
  /** Stops listening. Later calls, and whoever still reads, get `store_unavailable`. The pool stays open. */
  readonly close: () => Promise<void>
}

/** How often a process looks for what has expired, in milliseconds, and how many rows it removes in one transaction. */
const removalInterval = 60_000
const rowsAtOnce = 1_000

/**
 * Makes stores for runs, conversations and state in Postgres. Any number of processes may share them. The schema is made by
 * the first call.
 *
 * @throws MillraceError `invalid_option` or `unknown_option` for a wrong option
 */
export function postgresStores(options: PostgresStoresOptions): PostgresStores {
  const settings = readSettings(options)
  const { pool, listenPool, schema, pollMs, onWarning } = settings
  const warn = (cause: unknown): void =>
    guarded(
      () => onWarning(storeError(cause)),
      () => {},
    )
  const calls = createCalls(settings)
  const notifications = createNotifications({
    pool,
    listenPool,
    channel: `${schema}_changes`,
    instance: randomUUID(),
    onNotified: (hash) => changes.ringHash(hash),
  })
  const changes = createChanges({
    pollMs,
    poll: (keys) => pollChanges(calls, schema, keys),
    send: notifications.send,
    onListen: notifications.listen,
  })
  const removal = removeInBackground(calls, settings, warn)
  // Without a listener, a connection that dies while it is idle would end the process.
  pool.on('error', warn)

  let closed: Promise<void> | undefined
  async function close(): Promise<void> {
    clearInterval(removal)
    calls.close()
    changes.close()
    await notifications.close()
    pool.removeListener('error', warn)
  }

  const context = { calls, changes, settings, newToken: () => randomUUID() }
  return {
    runs: runStore(context),
    sessions: sessionStore(context),
    state: stateStore(context),
    close: () => (closed ??= close()),
  }
}

/** For each key that exists, what changes with it. */
async function pollChanges(
  calls: Calls,
  schema: string,
  keys: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const ids = (prefix: string): string[] =>
    keys.filter((key) => key.startsWith(prefix)).map((key) => stored(key.slice(prefix.length)))
  const current = `
    SELECT true AS is_run, run_id AS id,
      concat_ws(':', id, tail, closed_at IS NOT NULL, cancelled IS NOT NULL) AS seen
    FROM ${schema}.runs WHERE run_id = ANY($1)
    UNION ALL SELECT false, key, version::text FROM ${schema}.state WHERE key = ANY($2)`
  const rows = await calls.rows(current, [ids(runKey('')), ids(stateKey(''))])
  return new Map(
    rows.map((row) => {
      const id = restored(text(row, 'id'))
      return [row['is_run'] === true ? runKey(id) : stateKey(id), text(row, 'seen')]
    }),
  )
}

/** Keeps no process alive. */
function removeInBackground(calls: Calls, settings: Settings, warn: (cause: unknown) => void): NodeJS.Timeout {
  const { schema, now, retention } = settings
  const { eventsMs, recordMs, sessionMs } = retention
  const remove = async (): Promise<void> => {
    const values = [now(), eventsMs, recordMs, sessionMs, rowsAtOnce]
    const row = await calls.row(`SELECT ${schema}.remove_expired($1, $2, $3, $4, $5) AS removed`, values)
    if (integer(row, 'removed') >= rowsAtOnce) await remove()
  }
  return setInterval(() => void remove().catch(warn), removalInterval).unref()
}
