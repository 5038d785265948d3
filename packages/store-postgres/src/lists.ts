import type { RunQuery, RunSummary, SessionQuery, SessionSummary } from '@millrace/core'
import { defined } from '@millrace/core/kit'
import type { Context } from './context.ts'
import { integer, optionalRestored, restored, type Row, stored, text } from './rows.ts'
import { outcomeOf } from './run-rows.ts'

/** The newest runs that match, without those that have expired. */
export async function listRuns(
  { calls, settings }: Context,
  { owner, closed, before, limit }: RunQuery,
): Promise<readonly RunSummary[]> {
  const { schema, now, retention } = settings
  const values: unknown[] = [now(), retention.recordMs, limit]
  const conditions = ['coalesce(closed_at, lease_ends) > now_ms - $2::bigint']
  const given = (value: unknown): string => `$${values.push(value)}`
  if (owner !== undefined) conditions.push(`owner = ${given(stored(owner))}`)
  if (closed !== undefined) conditions.push(closed ? 'closed_at IS NOT NULL' : 'closed_at IS NULL')
  if (before !== undefined) conditions.push(`(created_at, run_id) < (${given(before.at)}, ${given(stored(before.id))})`)
  const newest = `
    SELECT run_id, session_id, owner, created_at, closed_at IS NOT NULL AS closed, outcome, cancelled
    FROM ${schema}.runs, ${schema}.at($1) AS now_ms WHERE ${conditions.join(' AND ')}
    ORDER BY created_at DESC, run_id DESC LIMIT $3`
  return (await calls.rows(newest, values)).map(runSummary)
}

function runSummary(row: Row): RunSummary {
  const optional = {
    sessionId: optionalRestored(row, 'session_id'),
    owner: optionalRestored(row, 'owner'),
    outcome: outcomeOf(row),
    cancelled: optionalRestored(row, 'cancelled'),
  }
  const [runId, createdAt] = [restored(text(row, 'run_id')), integer(row, 'created_at')]
  return { runId, createdAt, closed: row['closed'] === true, ...defined(optional) }
}

/** The sessions of an owner that have not expired, the one that was used last first. */
export async function listSessions(
  { calls, settings }: Context,
  { owner, before, limit }: SessionQuery,
): Promise<readonly SessionSummary[]> {
  const { schema, now, retention } = settings
  const latest = `
    SELECT session_id, version, used_at, CASE WHEN claim_ends > now_ms THEN claim_run END AS active_run
    FROM ${schema}.sessions, ${schema}.at($1) AS now_ms
    WHERE owner = $3 AND used_at > now_ms - $2::bigint AND ($5::bigint IS NULL OR (used_at, session_id) < ($5, $6))
    ORDER BY used_at DESC, session_id DESC LIMIT $4`
  const place = before ? [before.at, stored(before.id)] : [null, null]
  return (await calls.rows(latest, [now(), retention.sessionMs, stored(owner), limit, ...place])).map(sessionSummary)
}

function sessionSummary(row: Row): SessionSummary {
  const [sessionId, version] = [restored(text(row, 'session_id')), integer(row, 'version')]
  const activeRunId = optionalRestored(row, 'active_run')
  return { sessionId, version, usedAt: integer(row, 'used_at'), ...defined({ activeRunId }) }
}
