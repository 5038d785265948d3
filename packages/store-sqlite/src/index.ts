export { sqliteStores, type SqliteStores } from './sqlite-stores.ts'
export type { SqliteStoresOptions } from './options.ts'
