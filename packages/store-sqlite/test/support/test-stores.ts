import { onTestFinished } from 'vitest'
import { type SqliteStores, type SqliteStoresOptions, sqliteStores } from '../../src/index.ts'
import { newDatabaseFile } from './database-file.ts'

/** A path for a database in a folder of its own, which is removed when the test has ended. */
export function databaseFile(): string {
  const { path, remove } = newDatabaseFile()
  onTestFinished(remove)
  return path
}

/** Stores that are closed when the test has ended. */
export function openStores(options: SqliteStoresOptions): SqliteStores {
  const stores = sqliteStores(options)
  onTestFinished(() => stores.close())
  return stores
}
