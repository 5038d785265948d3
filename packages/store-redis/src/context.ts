import type { Commands } from './commands.ts'
import type { Keys } from './keys.ts'
import type { Notifications } from './notifications.ts'
import type { Settings } from './options.ts'

/** What the three stores share. */
export interface Context {
  readonly settings: Settings
  readonly keys: Keys
  readonly commands: Commands
  readonly notifications: Notifications
}
