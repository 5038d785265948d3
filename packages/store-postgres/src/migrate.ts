import { MillraceError } from '@millrace/core'
import { migrationOf } from './sql/migration.ts'
import type { Settings } from './options.ts'
import { integer, rowOf } from './rows.ts'

/** In the order in which they are applied. One that was published is never changed: what follows is a new one. */
const migrations: readonly ((schema: string) => string)[] = [migrationOf]

type Query = (sql: string) => Promise<{ readonly rows: readonly unknown[] }>

/**
 * Makes the schema, or brings it up to date, all or nothing. Of several processes that start at once, one does it. The lock
 * lasts as long as the transaction, so that pgbouncer may stand between.
 *
 * @throws MillraceError `store_unavailable` where a newer version of the package has written it, or it lacks something and
 *   `migrate` is false
 */
export async function migrate({ pool, schema, migrate: isAllowed }: Settings): Promise<void> {
  if ((await versionOf((sql) => pool.query(sql), schema)) === migrations.length) return
  if (!isAllowed)
    throw new MillraceError('store_unavailable', `the schema "${schema}" is not up to date, and migrate is false`)
  const client = await pool.connect()
  let isUsable = true
  try {
    await client.query('BEGIN')
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('millrace ${schema}'))`)
    await apply((sql) => client.query(sql), schema)
    await client.query('COMMIT')
  } catch (error) {
    isUsable = await client.query('ROLLBACK').then(
      () => true,
      () => false,
    )
    throw error
  } finally {
    client.release(!isUsable)
  }
}

async function apply(query: Query, schema: string): Promise<void> {
  const version = await versionOf(query, schema)
  if (version > migrations.length) {
    const message = `the schema "${schema}" has format ${version}, and this version of the package knows ${migrations.length}`
    throw new MillraceError('store_unavailable', message)
  }
  await query(`CREATE SCHEMA IF NOT EXISTS ${schema}`)
  await query(`CREATE TABLE IF NOT EXISTS ${schema}.migrations (version integer PRIMARY KEY)`)
  for (const [index, migration] of migrations.entries()) {
    if (index < version) continue
    await query(migration(schema))
    await query(`INSERT INTO ${schema}.migrations VALUES (${index + 1})`)
  }
}

async function versionOf(query: Query, schema: string): Promise<number> {
  // Not `to_regclass`: it may answer from a cache that the wait for the lock has not refreshed.
  const { rows: tables } = await query(
    `SELECT count(*) AS tables FROM pg_catalog.pg_tables WHERE schemaname = '${schema}' AND tablename = 'migrations'`,
  )
  if (integer(rowOf(tables[0]), 'tables') === 0) return 0
  const { rows } = await query(`SELECT coalesce(max(version), 0) AS version FROM ${schema}.migrations`)
  return integer(rowOf(rows[0]), 'version')
}
