import type { DatabaseSync } from 'node:sqlite'
import { MillraceError } from '@millrace/core'
import { refuse } from '@millrace/core/kit'

/** `MILL`, in the header of the file: it says whose database this is. */
const applicationId = 0x4d_49_4c_4c

/**
 * Applies those of `migrations` that the file does not have yet, all or none. The file says how many it has.
 *
 * @throws MillraceError `invalid_option` where the file belongs to another application
 * @throws MillraceError `store_unavailable` where a newer version of the package has written it
 */
export function migrate(connection: DatabaseSync, migrations: readonly string[]): void {
  if (isCurrent(connection, migrations)) return
  connection.exec('BEGIN IMMEDIATE')
  try {
    // Again, under the lock: another process may have been faster.
    if (!isCurrent(connection, migrations)) apply(connection, migrations)
    connection.exec('COMMIT')
  } catch (error) {
    connection.exec('ROLLBACK')
    throw error
  }
}

function isCurrent(connection: DatabaseSync, migrations: readonly string[]): boolean {
  return pragma(connection, 'application_id') === applicationId && versionOf(connection) === migrations.length
}

function apply(connection: DatabaseSync, migrations: readonly string[]): void {
  const owner = pragma(connection, 'application_id')
  const tables = connection.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.['tables']
  if (owner !== applicationId && (owner !== 0 || tables !== 0))
    refuse('path', 'must be a file of its own: this is the database of another application')
  const version = versionOf(connection)
  if (version > migrations.length) {
    const message = `the SQLite database has format ${version}, and this version of the package knows ${migrations.length}`
    throw new MillraceError('store_unavailable', message)
  }
  for (const sql of migrations.slice(version)) connection.exec(sql)
  connection.exec(`PRAGMA application_id = ${applicationId}`)
  connection.exec(`PRAGMA user_version = ${migrations.length}`)
}

function versionOf(connection: DatabaseSync): number {
  return pragma(connection, 'user_version')
}

function pragma(connection: DatabaseSync, name: string): number {
  return Number(connection.prepare(`PRAGMA ${name}`).get()?.[name])
}
