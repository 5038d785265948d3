import type { RunStore, SessionStore, StateStore } from '@millrace/core'
import { guarded } from '@millrace/core/kit'
import { createChanges } from './changes.ts'
import { integer, openDatabase } from './database.ts'
import { readSettings, type SqliteStoresOptions } from './options.ts'
import { removeExpired } from './retention.ts'
import { runStore } from './run-store.ts'
import { sessionStore } from './session-store.ts'
import { stateStore } from './state-store.ts'
import { storeError } from './store-error.ts'
import { createTransactions } from './transactions.ts'

export interface SqliteStores {
  readonly runs: RunStore
  readonly sessions: SessionStore
  readonly state: StateStore
  /** Ends the writes that are under way, and closes the file. Whoever still reads gets `store_unavailable`. */
  readonly close: () => Promise<void>
}

/** How often a process that writes looks for what has expired, in milliseconds. */
const removalInterval = 60_000

const removalKey = 'retention'

/**
 * Opens stores for runs, conversations and state in one SQLite file. Several processes of one machine may open the same
 * file. It keeps a timer only while somebody reads on.
 *
 * @throws MillraceError `invalid_option` or `unknown_option` for a wrong option, `store_unavailable` where the file cannot
 *   be opened
 */
export function sqliteStores(options: SqliteStoresOptions): SqliteStores {
  const settings = readSettings(options)
  const { clock, retention, onWarning } = settings
  const db = openDatabase(settings)
  let nextRemoval = 0
  let isClosed = false

  const changes = createChanges(() => {
    const row = db.get('PRAGMA data_version')
    return row ? integer(row, 'data_version') : 0
  }, settings.pollMs)
  const transactions = createTransactions(db, { timeoutMs: settings.timeoutMs, onCommitted })

  function onCommitted(key: string): void {
    changes.notify(key)
    if (clock.now() < nextRemoval) return
    nextRemoval = clock.now() + removalInterval
    void removeInBackground()
  }

  async function removeInBackground(): Promise<void> {
    try {
      const hasMore = await transactions.write(removalKey, () => removeExpired(db, clock.now(), retention))
      if (hasMore && !isClosed) await removeInBackground()
    } catch (cause) {
      guarded(
        () => onWarning(storeError(cause)),
        () => {},
      )
    }
  }

  const context = { db, transactions, changes, settings }
  return {
    runs: runStore(context),
    sessions: sessionStore(context),
    state: stateStore(context),
    async close() {
      isClosed = true
      const closed = transactions.close()
      changes.close()
      await closed
    },
  }
}
