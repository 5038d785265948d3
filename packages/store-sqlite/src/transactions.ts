import { performance } from 'node:perf_hooks'
import { MillraceError } from '@millrace/core'
import type { Database } from './database.ts'
import { isBusy, storeError } from './store-error.ts'

/** Writes that may wait to be committed; each caller has one or a few under way. */
const maxWaiting = 10_000

/** Writes in one transaction, so that none blocks the process for long. */
const jobsAtOnce = 128

/** Milliseconds between two tries where another process holds the lock. */
const busyPause = 2

export interface TransactionsOptions {
  readonly timeoutMs: number
  /** Called behind each commit, with the key of each of its writes. */
  readonly onCommitted: (key: string) => void
}

/**
 * The reads and writes of one connection. Writes that wait at the same time share a transaction, and so one wait for the
 * disk. SQLite blocks the process while the disk writes, so that a pause as long as the last commit follows each one: the
 * process has at least half of its time for everything else.
 */
export interface Transactions {
  /**
   * Runs `step` and resolves with its result once that is durable. A step that throws changes nothing. It may run more
   * than once, so that it must do nothing but read and write rows. `key` names what it changes.
   */
  write<T>(key: string, step: () => T): Promise<T>
  /** Runs `step`, which sees what is committed. */
  read<T>(step: () => T): Promise<T>
  /** Ends what is under way, and closes the connection. Later calls reject with `store_unavailable`. */
  close(): Promise<void>
}

interface Job {
  readonly key: string
  readonly since: number
  /** Runs the step, and returns how its caller is told once it is durable. */
  readonly run: () => () => void
  readonly fail: (error: MillraceError) => void
}

export function createTransactions(db: Database, { timeoutMs, onCommitted }: TransactionsOptions): Transactions {
  let waiting: Job[] = []
  let isScheduled = false
  let nextCommitAt = 0
  let closing: (() => void) | undefined
  let closed: Promise<void> | undefined

  function schedule(): void {
    if (isScheduled) return
    isScheduled = true
    const pause = nextCommitAt - performance.now()
    if (pause > 0) setTimeout(commitWaiting, pause)
    else setImmediate(commitWaiting)
  }

  function commitWaiting(): void {
    isScheduled = false
    const jobs = waiting.slice(0, jobsAtOnce)
    waiting = waiting.slice(jobsAtOnce)
    const began = performance.now()
    const busy = commitTogether(db, jobs, onCommitted)
    const now = performance.now()
    nextCommitAt = now + (busy.length > 0 ? busyPause : now - began)
    const late = busy.filter(({ since }) => now - since >= timeoutMs)
    for (const { fail } of late) fail(lockedOut())
    waiting = [...busy.filter((job) => !late.includes(job)), ...waiting]
    if (waiting.length > 0) schedule()
    else closing?.()
  }

  return {
    write(key, step) {
      if (closed) return Promise.reject(isClosed())
      if (waiting.length >= maxWaiting) return Promise.reject(overflow())
      return new Promise((resolve, reject) => {
        const run = (): (() => void) => {
          const result = step()
          return () => resolve(result)
        }
        waiting.push({ key, since: performance.now(), run, fail: reject })
        schedule()
      })
    },
    async read(step) {
      for (const since = performance.now(); ;) {
        if (closed) throw isClosed()
        try {
          return step()
        } catch (error) {
          if (!isBusy(error)) throw storeError(error)
          // A reader is locked out only while another process recovers the file after a crash.
          if (performance.now() - since >= timeoutMs) throw lockedOut()
        }
        await new Promise((resolve) => setTimeout(resolve, busyPause))
      }
    },
    close() {
      closed ??= new Promise<void>((resolve) => {
        closing = resolve
        if (!isScheduled) resolve()
      }).then(() => db.close())
      return closed
    },
  }
}

/** Commits the jobs and tells their callers. Returns those that another process's lock kept waiting. */
function commitTogether(db: Database, jobs: readonly Job[], onCommitted: (key: string) => void): readonly Job[] {
  try {
    commit(db, jobs, onCommitted)
    return []
  } catch (error) {
    if (isBusy(error)) return jobs
    // One write that fails must not fail its neighbours: each is tried on its own.
    if (jobs.length > 1) return jobs.flatMap((job) => commitTogether(db, [job], onCommitted))
    for (const { fail } of jobs) fail(storeError(error))
    return []
  }
}

function commit(db: Database, jobs: readonly Job[], onCommitted: (key: string) => void): void {
  db.run('BEGIN IMMEDIATE')
  let confirmations: readonly (() => void)[]
  try {
    confirmations = jobs.map(({ run }) => run())
    db.run('COMMIT')
  } catch (error) {
    rollBack(db)
    throw error
  }
  for (const confirm of confirmations) confirm()
  for (const { key } of jobs) onCommitted(key)
}

/** After some failures, such as a full disk, SQLite has rolled back by itself. */
function rollBack(db: Database): void {
  try {
    db.run('ROLLBACK')
  } catch {
    // There was no transaction left.
  }
}

function lockedOut(): MillraceError {
  return new MillraceError('store_unavailable', 'the SQLite database is locked by another process', { retryable: true })
}

function overflow(): MillraceError {
  const message = `the SQLite database is too slow: ${maxWaiting} writes are waiting`
  return new MillraceError('store_unavailable', message, { retryable: true })
}

function isClosed(): MillraceError {
  return new MillraceError('store_unavailable', 'the SQLite store is closed')
}
