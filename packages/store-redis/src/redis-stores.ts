import type { RunStore, SessionStore, StateStore } from '@millrace/core'
import { connectionOf } from './client/connect.ts'
import { createCommands } from './commands.ts'
import { createKeys } from './keys.ts'
import { createNotifications } from './notifications.ts'
import { readSettings, type RedisStoresOptions } from './options.ts'
import { runStore } from './run-store.ts'
import { sessionStore } from './session-store.ts'
import { stateStore } from './state-store.ts'

export interface RedisStores {
  readonly runs: RunStore
  readonly sessions: SessionStore
  readonly state: StateStore
  /** Closes the connection for notifications and ends all waits with `store_unavailable`. Your client stays open. */
  readonly close: () => Promise<void>
}

/**
 * Stores runs, conversations and small state in Redis, for any number of processes. Create them once per process: they
 * share one connection for notifications.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function redisStores(options: RedisStoresOptions): RedisStores {
  const settings = readSettings(options)
  const connection = connectionOf(options.client)
  const commands = createCommands(connection, settings)
  const notifications = createNotifications(connection)
  const context = { settings, commands, notifications, keys: createKeys(settings.prefix) }
  return {
    runs: runStore(context),
    sessions: sessionStore(context),
    state: stateStore(context),
    async close() {
      commands.close()
      notifications.close()
    },
  }
}
