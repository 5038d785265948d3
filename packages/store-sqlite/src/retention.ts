import { type Database, integer } from './database.ts'
import type { Settings } from './options.ts'

/** Rows removed in one transaction, so that no removal holds up a run. */
const rowsAtOnce = 500

/**
 * Removes some of what has expired. Events go before their run's record, the oldest first.
 *
 * @returns whether there may be more
 */
export function removeExpired(
  db: Database,
  now: number,
  { eventsMs, recordMs, sessionMs }: Settings['retention'],
): boolean {
  let left = rowsAtOnce
  const expired = [
    { where: 'closed_at IS NOT NULL AND closed_at <= ?', until: now - recordMs, isWhole: true },
    { where: 'closed_at IS NULL AND lease_ends <= ?', until: now - recordMs, isWhole: true },
    { where: 'closed_at IS NOT NULL AND first <= tail AND closed_at <= ?', until: now - eventsMs, isWhole: false },
  ]
  for (const { where, until, isWhole } of expired) {
    const ids = Array.from(db.rows(`SELECT id FROM runs WHERE ${where} LIMIT ${rowsAtOnce}`, until), (row) =>
      integer(row, 'id'),
    )
    for (const id of ids) {
      left -= removeEvents(db, id, left)
      if (left <= 0) return true
      if (isWhole) db.run('DELETE FROM runs WHERE id = ?', id)
      else db.run('UPDATE runs SET first = tail + 1 WHERE id = ?', id)
      left--
    }
  }
  left -= removeSessions(db, now - sessionMs, left)
  return left <= 0
}

/** Returns how many rows it has removed, `limit` at most. */
function removeEvents(db: Database, id: number, limit: number): number {
  return db.run(
    'DELETE FROM batches WHERE run = ?1 AND last IN (SELECT last FROM batches WHERE run = ?1 ORDER BY last LIMIT ?2)',
    id,
    limit,
  )
}

/** Returns how many rows it has removed, `limit` at most. */
function removeSessions(db: Database, until: number, limit: number): number {
  return db.run(
    'DELETE FROM sessions WHERE session_id IN (SELECT session_id FROM sessions WHERE used_at <= ? LIMIT ?)',
    until,
    limit,
  )
}
