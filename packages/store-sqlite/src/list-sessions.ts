import type { ListPosition, SessionQuery, SessionSummary } from '@millrace/core'
import { defined } from '@millrace/core/kit'
import { type Database, integer, optionalText, type Row, text } from './database.ts'

/** Before every position of a list: it begins with the latest. */
const start: ListPosition = { at: Number.MAX_SAFE_INTEGER, id: '' }

/** The sessions of an owner that have not expired, the one that was used last first. */
export function listSessions(
  db: Database,
  { owner, before = start, limit }: SessionQuery,
  now: number,
  sessionMs: number,
): readonly SessionSummary[] {
  const latest = `
    SELECT session_id, version, used_at, CASE WHEN claim_ends > ? THEN claim_run END AS active_run FROM sessions
    WHERE owner = ? AND used_at > ? AND (used_at, session_id) < (?, ?) ORDER BY used_at DESC, session_id DESC LIMIT ?`
  return Array.from(db.rows(latest, now, owner, now - sessionMs, before.at, before.id, limit), summaryOf)
}

function summaryOf(row: Row): SessionSummary {
  const [version, usedAt] = [integer(row, 'version'), integer(row, 'used_at')]
  return {
    sessionId: text(row, 'session_id'),
    version,
    usedAt,
    ...defined({ activeRunId: optionalText(row, 'active_run') }),
  }
}
