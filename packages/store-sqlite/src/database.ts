import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { MillraceError } from '@millrace/core'
import { refuse } from '@millrace/core/kit'
import { migrate } from './migrate.ts'
import { migrations } from './migrations.ts'
import { storeError } from './store-error.ts'

export type Row = Readonly<Record<string, SQLOutputValue>>

/** One connection. It never waits for a lock: what another process holds up throws at once. */
export interface Database {
  /** Returns how many rows it has changed. */
  run(sql: string, ...values: SQLInputValue[]): number
  get(sql: string, ...values: SQLInputValue[]): Row | undefined
  /** Reads the rows one by one, so that whoever stops early has not read the rest. */
  rows(sql: string, ...values: SQLInputValue[]): Iterable<Row>
  close(): void
}

export interface DatabaseOptions {
  readonly path: string
  readonly synchronous: 'full' | 'normal'
  readonly timeoutMs: number
  readonly fileBytes: number | undefined
}

/**
 * Opens the file, and brings its tables up to date.
 *
 * @throws MillraceError `store_unavailable`, `invalid_option`
 */
export function openDatabase(options: DatabaseOptions): Database {
  let connection: DatabaseSync | undefined
  try {
    connection = new DatabaseSync(options.path)
    prepareConnection(connection, options)
    return wrap(connection)
  } catch (cause) {
    connection?.close()
    throw storeError(cause)
  }
}

function prepareConnection(connection: DatabaseSync, { synchronous, timeoutMs, fileBytes }: DatabaseOptions): void {
  // Opening is the one time that may block: another process may be making the tables.
  connection.exec(`PRAGMA busy_timeout = ${Math.floor(timeoutMs)}`)
  const mode = connection.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode']
  if (mode !== 'wal') refuse('path', 'must be a file on a local disk: SQLite cannot keep a write-ahead log there')
  connection.exec(`PRAGMA synchronous = ${synchronous}`)
  if (fileBytes !== undefined) {
    const pageBytes = Number(connection.prepare('PRAGMA page_size').get()?.['page_size'])
    connection.exec(`PRAGMA max_page_count = ${Math.floor(fileBytes / pageBytes)}`)
  }
  migrate(connection, migrations)
  connection.exec('PRAGMA busy_timeout = 0')
}

function wrap(connection: DatabaseSync): Database {
  const statements = new Map<string, StatementSync>()

  function prepare(sql: string): StatementSync {
    const known = statements.get(sql)
    if (known) return known
    const statement = connection.prepare(sql)
    statements.set(sql, statement)
    return statement
  }

  return {
    run: (sql, ...values) => Number(prepare(sql).run(...values).changes),
    get: (sql, ...values) => prepare(sql).get(...values),
    rows: (sql, ...values) => prepare(sql).iterate(...values),
    close: () => connection.close(),
  }
}

/** @throws MillraceError `store_unavailable` where the column holds something else, in a damaged file */
export function integer(row: Row, column: string): number {
  const value = row[column]
  if (typeof value !== 'number') throw damaged(column)
  return value
}

/** @throws MillraceError `store_unavailable` where the column holds something else, in a damaged file */
export function text(row: Row, column: string): string {
  const value = row[column]
  if (typeof value !== 'string') throw damaged(column)
  return value
}

export function optionalText(row: Row, column: string): string | undefined {
  return row[column] === null ? undefined : text(row, column)
}

function damaged(column: string): MillraceError {
  return new MillraceError('store_unavailable', `the SQLite database is damaged: column "${column}"`)
}
