import { requireProgram, type ProgramTests } from '@millrace/config/programs'
import { type PostgresServer, startPostgres, withPostgresPath } from '@millrace/config/postgres-server'
import { Pool, type PoolConfig } from 'pg'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { type PostgresStores, type PostgresStoresOptions, postgresStores } from '../../src/index.ts'

/** Tests that need a server, and those that need pgbouncer too. */
export function requirePostgres(program: 'postgres' | 'pgbouncer' = 'postgres'): ProgramTests {
  return requireProgram(program, { env: withPostgresPath(process.env) })
}

/** One server for all tests of a group. */
export function sharedServer(): () => PostgresServer {
  let server: PostgresServer | undefined
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.close())
  return () => {
    if (server === undefined) throw new Error('the server is not there yet')
    return server
  }
}

let schemas = 0

export function newSchema(): string {
  return `test_${process.pid}_${++schemas}`
}

/** Stores with a pool of their own, as a process has them, until the test has ended. */
export function openStores(
  url: string,
  options: Partial<PostgresStoresOptions> & { readonly config?: PoolConfig } = {},
): PostgresStores & { readonly pool: Pool } {
  const { config, ...rest } = options
  const pool = new Pool({ connectionString: url, ...config })
  const stores = postgresStores({ pool, ...rest })
  onTestFinished(async () => {
    await stores.close()
    await pool.end()
  })
  return { ...stores, pool }
}
