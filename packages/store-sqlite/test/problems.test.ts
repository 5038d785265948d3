import { isMillraceError } from '@millrace/core'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type SqliteStores, sqliteStores } from '../src/index.ts'
import { deltas, recordOf, storedEvents } from './support/events.ts'
import { databaseFile, openStores } from './support/test-stores.ts'

const kilobyte = 'x'.repeat(1024)

/** Appends until the store refuses. Returns how many events were confirmed, and the error. */
async function fill(
  { runs }: SqliteStores,
  runId: string,
): Promise<{ readonly tail: number; readonly error: unknown }> {
  await runs.create(recordOf(runId), 30_000)
  let tail = 0
  try {
    for (; tail < 100_000; tail += 10) await runs.append(runId, 1, deltas(runId, tail + 1, tail + 10, kilobyte))
    return { tail, error: undefined }
  } catch (error) {
    return { tail, error }
  }
}

describe('a full database', () => {
  test('refuses with a typed error, loses nothing that was confirmed, and goes on once there is room', async () => {
    let skipped = 0
    const clock = { now: () => Date.now() + skipped, setTimer: () => () => {} }
    const retention = { eventsMs: 60_000, recordMs: 120_000 }
    const stores = openStores({ path: databaseFile(), limits: { fileBytes: 1_000_000 }, retention, clock })
    const { tail, error } = await fill(stores, 'run-1')
    expect(error).toMatchObject({
      code: 'store_unavailable',
      retryable: true,
      message: expect.stringContaining('full'),
    })
    expect(tail).toBeGreaterThan(100)
    expect(await storedEvents(stores.runs, 'run-1')).toEqual(deltas('run-1', 1, tail, kilobyte))
    expect(await stores.runs.append('run-1', 1, [], { outcome: 'failed' })).toMatchObject({ status: 'appended', tail })
    skipped = 60_000
    // The first write finds what has expired, and makes room.
    await stores.runs.create(recordOf('run-2'), 30_000)
    await stores.runs.append('run-2', 1, deltas('run-2', 1, 1))
    expect(await stores.runs.append('run-2', 1, deltas('run-2', 2, 100, kilobyte))).toMatchObject({ tail: 100 })
  })

  // Only the superuser may mount one, as CI does.
  const fileSystems = process.env['CI'] || process.getuid?.() === 0 ? ['tmpfs'] : []
  test.each(fileSystems)('on a file system that is full, a %s, does the same', async () => {
    const folder = smallFileSystem()
    const ballast = join(folder, 'ballast')
    writeFileSync(ballast, kilobyte.repeat(256))
    const stores = sqliteStores({ path: join(folder, 'millrace.db') })
    onTestFinished(() => stores.close())
    const { tail, error } = await fill(stores, 'run-1')
    expect(error).toMatchObject({ code: 'store_unavailable', retryable: true })
    expect(await storedEvents(stores.runs, 'run-1')).toEqual(deltas('run-1', 1, tail, kilobyte))
    rmSync(ballast)
    expect(await stores.runs.append('run-1', 1, deltas('run-1', tail + 1, tail + 1))).toMatchObject({ tail: tail + 1 })
    // What was refused is not there: another connection sees the same.
    const events = [...deltas('run-1', 1, tail, kilobyte), ...deltas('run-1', tail + 1, tail + 1)]
    expect(await storedEvents(openStores({ path: join(folder, 'millrace.db') }).runs, 'run-1')).toEqual(events)
  })
})

test('a file that is read-only is read, and refuses writes with a typed error', async () => {
  const path = databaseFile()
  const before = sqliteStores({ path })
  await before.runs.create(recordOf('run-1'), 30_000)
  await before.close()
  chmodSync(dirname(path), 0o777)
  chmodSync(path, 0o444)
  asUnprivileged()
  const { runs } = openStores({ path })
  expect(await runs.snapshot('run-1')).toMatchObject({ record: recordOf('run-1') })
  await expect(runs.append('run-1', 1, deltas('run-1', 1, 1))).rejects.toMatchObject({
    code: 'store_unavailable',
    message: 'the SQLite database is read-only',
    retryable: false,
  })
})

describe('a lock that another process holds', () => {
  test('delays a write until it is released', async () => {
    const path = databaseFile()
    const { runs } = openStores({ path })
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const created = runs.create(recordOf('run-1'), 30_000)
    expect(await runs.snapshot('run-1')).toBeUndefined()
    other.exec('COMMIT')
    expect(await created).toMatchObject({ status: 'acquired' })
    other.close()
  })

  test('refuses a write that has waited for `timeoutMs`, with a typed error', async () => {
    const path = databaseFile()
    const { runs } = openStores({ path, timeoutMs: 1 })
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    await expect(runs.create(recordOf('run-1'), 30_000)).rejects.toMatchObject({
      code: 'store_unavailable',
      retryable: true,
      message: 'the SQLite database is locked by another process',
    })
    other.close()
    expect(await runs.create(recordOf('run-1'), 30_000)).toMatchObject({ status: 'acquired' })
  })
})

test('a write that fails does not fail those that are committed with it', async () => {
  const { runs, sessions } = openStores({ path: databaseFile(), limits: { runBytes: 2_000, sessionBytes: 2_000 } })
  await runs.create(recordOf('small'), 30_000)
  await runs.create(recordOf('large'), 30_000)
  await sessions.claim('long', 'run-1', 30_000)
  const results = await Promise.allSettled([
    runs.append('small', 1, deltas('small', 1, 1)),
    runs.append('large', 1, deltas('large', 1, 1, kilobyte.repeat(2))),
    sessions.commit('long', 'run-1', 0, [{ role: 'user', content: kilobyte.repeat(2) }]),
    runs.append('small', 1, deltas('small', 2, 2)),
  ])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  expect(errors.every((error) => isMillraceError(error, 'store_unavailable'))).toBe(true)
  expect(errors.map(({ path }) => path)).toEqual(['limits.runBytes', 'limits.sessionBytes'])
  expect(await storedEvents(runs, 'small')).toEqual(deltas('small', 1, 2))
  expect(await runs.snapshot('large')).toMatchObject({ tail: 0 })
})

test('closing ends what is under way, and later calls are refused', async () => {
  const path = databaseFile()
  const { runs, close } = sqliteStores({ path })
  await runs.create(recordOf('run-1'), 30_000)
  const reading = Promise.allSettled([runs.read('run-1', 0)[Symbol.asyncIterator]().next()])
  const cancelled = Promise.allSettled([runs.cancelled?.('run-1', new AbortController().signal)])
  const appended = runs.append('run-1', 1, deltas('run-1', 1, 3))
  const closed = close()
  expect(await appended).toMatchObject({ tail: 3 })
  await closed
  await close()
  expect(await cancelled).toMatchObject([{ status: 'rejected', reason: { code: 'store_unavailable' } }])
  expect(await reading).toMatchObject([{ status: 'rejected', reason: { code: 'store_unavailable' } }])
  await expect(runs.snapshot('run-1')).rejects.toMatchObject({ message: 'the SQLite store is closed' })
  await expect(runs.cancel('run-1', 'user')).rejects.toMatchObject({ message: 'the SQLite store is closed' })
  expect(await openStores({ path }).runs.snapshot('run-1')).toMatchObject({ tail: 3 })
})

test.each([
  [{ path: '' }, 'path must be a string that is not empty'],
  [{ path: 'a.db', synchronous: 'off' }, 'synchronous must be one of "full", "normal"'],
  [{ path: 'a.db', retention: { eventMs: 1 } }, 'unknown option "retention.eventMs"; did you mean "eventsMs"?'],
  [{ path: 'a.db', limits: { fileBytes: 1 } }, 'limits.fileBytes must be a whole number of at least 65536'],
])('wrong options are refused: %j', (options, message) => {
  expect(() => Reflect.apply(sqliteStores, undefined, [options])).toThrow(message)
})

/** A file system of 512 KiB. */
function smallFileSystem(): string {
  const folder = join(dirname(databaseFile()), 'small')
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', folder])
  onTestFinished(() => void execFileSync('umount', ['--lazy', folder]))
  return folder
}

/** The superuser may write everything: the rest of the test is run as `nobody`. */
function asUnprivileged(): void {
  if (process.geteuid?.() !== 0) return
  process.seteuid?.(65_534)
  onTestFinished(() => process.seteuid?.(0))
}
