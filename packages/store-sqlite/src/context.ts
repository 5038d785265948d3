import type { Changes } from './changes.ts'
import type { Database } from './database.ts'
import type { Settings } from './options.ts'
import type { Transactions } from './transactions.ts'

/** What the three stores of one file share. */
export interface Context {
  readonly db: Database
  readonly transactions: Transactions
  readonly changes: Changes
  readonly settings: Settings
}
