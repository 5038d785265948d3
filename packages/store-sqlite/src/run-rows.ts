import type { RunOutcome, RunRecord } from '@millrace/core'
import { type Database, integer, optionalText, type Row, text } from './database.ts'

export interface RunRow {
  /** The row's number, by which its batches are found. */
  readonly id: number
  readonly tail: number
  /** The oldest `seq` that can still be read; `tail + 1` where none can. */
  readonly first: number
  readonly fence: number
  readonly leaseEnds: number
  readonly bytes: number
  readonly cancelled: string | undefined
  readonly closed: boolean
}

export interface Expiry {
  readonly eventsMs: number
  readonly recordMs: number
}

/** What a run's writes and its readers meet under. */
export function runKey(runId: string): string {
  return `run ${runId}`
}

const columns = 'id, tail, first, fence, lease_ends, bytes, cancelled, closed_at'

/** The run, unless it has expired: what is due for removal counts as removed. */
export function findRun(db: Database, runId: string, now: number, expiry: Expiry): RunRow | undefined {
  const row = db.get(`SELECT ${columns} FROM runs WHERE run_id = ?`, runId)
  if (row === undefined) return undefined
  const closedAt = row['closed_at'] === null ? undefined : integer(row, 'closed_at')
  const leaseEnds = integer(row, 'lease_ends')
  if ((closedAt ?? leaseEnds) + expiry.recordMs <= now) return undefined
  const tail = integer(row, 'tail')
  const haveEventsExpired = closedAt !== undefined && closedAt + expiry.eventsMs <= now
  return {
    id: integer(row, 'id'),
    tail,
    first: haveEventsExpired ? tail + 1 : integer(row, 'first'),
    fence: integer(row, 'fence'),
    leaseEnds,
    bytes: integer(row, 'bytes'),
    cancelled: optionalText(row, 'cancelled'),
    closed: closedAt !== undefined,
  }
}

export interface RunEnd {
  readonly record: RunRecord
  readonly outcome: RunOutcome | undefined
}

/** What a run was started with, and how it ended. */
export function readEnd(db: Database, id: number): RunEnd | undefined {
  const row = db.get('SELECT outcome, record FROM runs WHERE id = ?', id)
  if (row === undefined) return undefined
  const record: RunRecord = JSON.parse(text(row, 'record'))
  return { record, outcome: outcomeOf(row) }
}

export function outcomeOf(row: Row): RunOutcome | undefined {
  const json = optionalText(row, 'outcome')
  return json === undefined ? undefined : JSON.parse(json)
}

/** Removes the run and everything of it. */
export function removeRun(db: Database, runId: string): void {
  db.run('DELETE FROM batches WHERE run = (SELECT id FROM runs WHERE run_id = ?)', runId)
  db.run('DELETE FROM runs WHERE run_id = ?', runId)
}
