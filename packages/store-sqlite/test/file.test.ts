import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { sqliteStores } from '../src/index.ts'
import { migrate } from '../src/migrate.ts'
import { databaseFile, openStores } from './support/test-stores.ts'
import { deltas, recordOf } from './support/events.ts'

function rows(path: string, table: string): number {
  const database = new DatabaseSync(path)
  const { count } = database.prepare(`SELECT count(*) AS count FROM ${table}`).get() ?? {}
  database.close()
  return Number(count)
}

test('a file of an older version gets what it lacks, once, and keeps its rows', () => {
  const database = new DatabaseSync(databaseFile())
  const first = 'CREATE TABLE old (id INTEGER)'
  migrate(database, [first])
  database.exec('INSERT INTO old VALUES (1)')
  migrate(database, [first, 'ALTER TABLE old ADD COLUMN name TEXT', 'CREATE TABLE fresh (id INTEGER)'])
  migrate(database, [first, 'ALTER TABLE old ADD COLUMN name TEXT', 'CREATE TABLE fresh (id INTEGER)'])
  expect(database.prepare('SELECT * FROM old').all()).toEqual([{ id: 1, name: null }])
  database.close()
})

test('a migration that fails changes nothing', () => {
  const database = new DatabaseSync(databaseFile())
  expect(() => migrate(database, ['CREATE TABLE half (id INTEGER)', 'CREATE TABLE half (id INTEGER)'])).toThrow('half')
  expect(database.prepare('SELECT * FROM sqlite_schema').all()).toEqual([])
  migrate(database, ['CREATE TABLE half (id INTEGER)'])
  database.close()
})

test('a file of a newer version is refused', async () => {
  const path = databaseFile()
  await sqliteStores({ path }).close()
  const database = new DatabaseSync(path)
  database.exec('PRAGMA user_version = 1000')
  database.close()
  expect(() => sqliteStores({ path })).toThrow('the SQLite database has format 1000')
})

test('the database of another application is refused, and left as it is', () => {
  const path = databaseFile()
  const database = new DatabaseSync(path)
  database.exec('CREATE TABLE customers (id INTEGER)')
  expect(() => sqliteStores({ path })).toThrow('path must be a file of its own')
  expect(database.prepare('SELECT name FROM sqlite_schema').all()).toEqual([{ name: 'customers' }])
  database.close()
})

test.each([
  [
    'is no database',
    (path: string) => writeFileSync(path, 'not a database, '.repeat(100)),
    'the file is not an SQLite database',
  ],
  ['has no folder', () => {}, 'the SQLite database file cannot be opened'],
])('a file that %s is a typed error', (name, prepare, message) => {
  const path = name === 'has no folder' ? '/no/such/folder/millrace.db' : databaseFile()
  prepare(path)
  expect(() => sqliteStores({ path })).toThrow(expect.objectContaining({ code: 'store_unavailable', message }))
})

test('what has expired is removed from the file, in steps, and what has not is kept', async () => {
  const path = databaseFile()
  let now = 1_000_000
  const clock = { now: () => now, setTimer: () => () => {} }
  const retention = { eventsMs: 100_000, recordMs: 200_000, sessionMs: 300_000 }
  const { runs, sessions } = openStores({ path, clock, retention })
  const appends: Promise<unknown>[] = []
  for (const runId of ['closed', 'abandoned', 'live']) {
    await runs.create(recordOf(runId), runId === 'live' ? 1_000_000 : 1)
    for (let seq = 1; seq <= 700; seq++) appends.push(runs.append(runId, 1, deltas(runId, seq, seq)))
  }
  await Promise.all(appends)
  await runs.append('closed', 1, [], { outcome: 'completed' })
  await sessions.claim('old', 'closed', 1)
  expect([rows(path, 'runs'), rows(path, 'batches'), rows(path, 'sessions')]).toEqual([3, 2100, 1])

  const tick = (): Promise<boolean> => runs.cancel('none', 'a write')
  const settle = async (): Promise<void> => {
    // Each step of the removal is committed with, or before, the next write.
    for (let step = 0; step < 10; step++) await tick()
  }
  now += 100_000
  await settle()
  expect([rows(path, 'runs'), rows(path, 'batches'), rows(path, 'sessions')]).toEqual([3, 1400, 1])
  expect(await runs.snapshot('closed')).toMatchObject({ first: 701, tail: 700 })
  now += 100_001
  await settle()
  expect([rows(path, 'runs'), rows(path, 'batches'), rows(path, 'sessions')]).toEqual([1, 700, 1])
  now += 100_000
  await settle()
  expect([rows(path, 'runs'), rows(path, 'batches'), rows(path, 'sessions')]).toEqual([1, 700, 0])
  expect(await runs.create(recordOf('closed'), 1)).toMatchObject({ status: 'acquired', fence: 1 })
})

test('a removal that fails is reported to `onWarning`, and fails no write', async () => {
  const path = databaseFile()
  const warnings: unknown[] = []
  const { runs } = openStores({
    path,
    onWarning(error) {
      warnings.push(error)
      throw new Error('the hook fails too')
    },
  })
  const database = new DatabaseSync(path)
  database.exec('DROP TABLE sessions')
  database.close()
  expect(await runs.create(recordOf('run-1'), 1)).toMatchObject({ status: 'acquired' })
  expect(await runs.cancel('run-1', 'a write')).toBe(true)
  expect(warnings).toMatchObject([{ code: 'store_unavailable' }])
})
