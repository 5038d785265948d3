export type { PostgresClient, PostgresPool, PostgresStoresOptions } from './options.ts'
export { postgresStores, type PostgresStores } from './postgres-stores.ts'
