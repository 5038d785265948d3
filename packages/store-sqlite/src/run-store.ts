import type { AgentEvent, RunLease, RunOutcome, RunStore } from '@millrace/core'
import { defined, toJson } from '@millrace/core/kit'
import type { Context } from './context.ts'
import { text } from './database.ts'
import { listRuns } from './list-runs.ts'
import { readRun } from './read-run.ts'
import { findRun, readEnd, removeRun, runKey, type RunRow } from './run-rows.ts'
import { tooLarge } from './store-error.ts'

export function runStore(context: Context): RunStore {
  return {
    durable: true,
    ...leaseMethods(context),
    ...eventMethods(context),
    ...cancelMethods(context),
    ...listMethods(context),
  }
}

function leaseMethods(context: Context): Pick<RunStore, 'create' | 'acquire' | 'renew' | 'abandoned'> {
  const { db, transactions, settings } = context
  const { clock, retention, limits } = settings
  const find = (runId: string): RunRow | undefined => findRun(db, runId, clock.now(), retention)

  return {
    async create(record, leaseMs) {
      const { runId, sessionId = null, owner = null, createdAt } = record
      const json = toJson(record)
      const bytes = Buffer.byteLength(json)
      return transactions.write(runKey(runId), () => {
        if (bytes > limits.runBytes) throw tooLarge('limits.runBytes', limits.runBytes)
        if (find(runId)) return { status: 'exists' }
        removeRun(db, runId)
        const insert = `
          INSERT INTO runs (run_id, session_id, owner, created_at, fence, lease_ends, bytes, record)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
        db.run(insert, runId, sessionId, owner, createdAt, 1, clock.now() + leaseMs, bytes, json)
        return { status: 'acquired', fence: 1, tail: 0 }
      })
    },
    acquire(runId, leaseMs) {
      return transactions.write(runKey(runId), () => {
        const run = find(runId)
        if (!run) return { status: 'not_found' }
        if (run.closed) return { status: 'closed' }
        if (run.leaseEnds > clock.now()) return { status: 'held', expiresAt: run.leaseEnds }
        const lease: RunLease = { fence: run.fence + 1, tail: run.tail, ...wish(run) }
        db.run('UPDATE runs SET fence = ?, lease_ends = ? WHERE id = ?', lease.fence, clock.now() + leaseMs, run.id)
        return { status: 'acquired', ...lease }
      })
    },
    renew(runId, fence, leaseMs) {
      return transactions.write(runKey(runId), () => {
        const run = find(runId)
        if (!run) return { status: 'not_found' }
        if (run.closed) return { status: 'closed' }
        if (run.fence !== fence) return { status: 'fenced' }
        db.run('UPDATE runs SET lease_ends = ? WHERE id = ?', clock.now() + leaseMs, run.id)
        return { status: 'renewed', ...wish(run) }
      })
    },
    abandoned(limit) {
      return transactions.read(() => {
        const now = clock.now()
        const expired = `
          SELECT run_id FROM runs WHERE closed_at IS NULL AND lease_ends <= ? AND lease_ends > ?
          ORDER BY lease_ends LIMIT ?`
        return Array.from(db.rows(expired, now, now - retention.recordMs, limit), (row) => text(row, 'run_id'))
      })
    },
  }
}

function eventMethods({
  db,
  transactions,
  changes,
  settings,
}: Context): Pick<RunStore, 'append' | 'read' | 'snapshot'> {
  const { clock, retention, limits } = settings
  const find = (runId: string): RunRow | undefined => findRun(db, runId, clock.now(), retention)

  /** @throws MillraceError `store_unavailable` where the run would become too large */
  function store(
    run: RunRow,
    events: readonly AgentEvent[],
    close: { readonly outcome: RunOutcome } | undefined,
  ): number {
    const tail = run.tail + events.length
    let { bytes } = run
    if (events.length > 0) {
      const json = toJson(events)
      bytes += Buffer.byteLength(json)
      if (bytes > limits.runBytes) throw tooLarge('limits.runBytes', limits.runBytes)
      db.run('INSERT INTO batches (run, last, events) VALUES (?, ?, ?)', run.id, tail, json)
    }
    const closed = close ? [JSON.stringify(close.outcome), clock.now()] : [null, null]
    db.run(
      'UPDATE runs SET tail = ?, bytes = ?, outcome = ?, closed_at = ? WHERE id = ?',
      tail,
      bytes,
      ...closed,
      run.id,
    )
    return tail
  }

  return {
    append(runId, fence, events, close) {
      return transactions.write(runKey(runId), () => {
        const run = find(runId)
        if (!run) return { status: 'not_found' }
        if (run.closed) return { status: 'closed' }
        if (run.fence !== fence) return { status: 'fenced' }
        const fresh = events.filter((event) => event.seq > run.tail)
        if (fresh.some((event, index) => event.seq !== run.tail + index + 1)) return { status: 'gap', tail: run.tail }
        const tail = fresh.length > 0 || close ? store(run, fresh, close) : run.tail
        return { status: 'appended', tail, ...wish(run) }
      })
    },
    read: (runId, afterSeq, signal) => readRun({ db, transactions, changes, settings }, runId, afterSeq, signal),
    snapshot(runId) {
      return transactions.read(() => {
        const run = find(runId)
        const end = run && readEnd(db, run.id)
        if (!run || !end) return undefined
        const { tail, closed, first } = run
        return { record: end.record, tail, closed, first, ...defined({ outcome: end.outcome }), ...wish(run) }
      })
    },
  }
}

function cancelMethods({ db, transactions, changes, settings }: Context): Pick<RunStore, 'cancel' | 'cancelled'> {
  const { clock, retention } = settings
  return {
    cancel(runId, reason) {
      return transactions.write(runKey(runId), () => {
        const run = findRun(db, runId, clock.now(), retention)
        if (!run || run.closed) return false
        if (run.cancelled === undefined) db.run('UPDATE runs SET cancelled = ? WHERE id = ?', reason, run.id)
        return true
      })
    },
    async cancelled(runId, signal) {
      while (!signal.aborted) {
        const run = await transactions.read(() => findRun(db, runId, clock.now(), retention))
        if (!run || run.closed) return undefined
        if (run.cancelled !== undefined) return run.cancelled
        await changes.wait(runKey(runId), signal)
      }
      return undefined
    },
  }
}

function listMethods({ db, transactions, settings }: Context): Pick<RunStore, 'list' | 'delete'> {
  const { clock, retention } = settings
  return {
    list: (query) => transactions.read(() => listRuns(db, query, clock.now(), retention)),
    delete: (runId) => transactions.write(runKey(runId), () => removeRun(db, runId)),
  }
}

function wish({ cancelled }: RunRow): { readonly cancelled?: string } {
  return cancelled === undefined ? {} : { cancelled }
}
