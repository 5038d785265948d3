import type { RunQuery, RunSummary } from '@millrace/core'
import { defined } from '@millrace/core/kit'
import { type Database, integer, optionalText, type Row, text } from './database.ts'
import { type Expiry, outcomeOf } from './run-rows.ts'

/** The newest runs that match, without those that have expired. */
export function listRuns(
  db: Database,
  { owner, closed, before, limit }: RunQuery,
  now: number,
  { recordMs }: Expiry,
): readonly RunSummary[] {
  const conditions = ['coalesce(closed_at, lease_ends) > ?']
  const values: (string | number)[] = [now - recordMs]
  if (owner !== undefined) {
    conditions.push('owner = ?')
    values.push(owner)
  }
  if (closed !== undefined) conditions.push(closed ? 'closed_at IS NOT NULL' : 'closed_at IS NULL')
  if (before !== undefined) {
    conditions.push('(created_at, run_id) < (?, ?)')
    values.push(before.at, before.id)
  }
  const newest = `
    SELECT run_id, session_id, owner, created_at, closed_at, outcome, cancelled FROM runs
    WHERE ${conditions.join(' AND ')} ORDER BY created_at DESC, run_id DESC LIMIT ?`
  return Array.from(db.rows(newest, ...values, limit), summaryOf)
}

function summaryOf(row: Row): RunSummary {
  const [sessionId, owner] = [optionalText(row, 'session_id'), optionalText(row, 'owner')]
  const optional = { sessionId, owner, outcome: outcomeOf(row), cancelled: optionalText(row, 'cancelled') }
  const closed = row['closed_at'] !== null
  return { runId: text(row, 'run_id'), createdAt: integer(row, 'created_at'), closed, ...defined(optional) }
}
