import type { AgentEvent, AppendResult, RunOutcome, RunStore } from '@millrace/core'
import { createBell, defined, toJson } from '@millrace/core/kit'
import { type Context, runKey } from './context.ts'
import { listRuns } from './lists.ts'
import { readRun } from './read-run.ts'
import { integer, optionalRestored, type Row, stored, text } from './rows.ts'
import { outcomeOf, recordOf } from './run-rows.ts'
import { tooLarge, unavailable } from './store-error.ts'

export function runStore(context: Context): RunStore {
  return {
    durable: true,
    ...leaseMethods(context),
    ...eventMethods(context),
    ...cancelMethods(context),
    ...lookupMethods(context),
  }
}

function leaseMethods({
  calls,
  settings,
  newToken,
}: Context): Pick<RunStore, 'create' | 'acquire' | 'renew' | 'abandoned'> {
  const { schema, now, retention, limits } = settings
  const { recordMs } = retention

  return {
    async create(record, leaseMs) {
      const { runId, sessionId, owner, createdAt } = record
      const json = toJson(record)
      const bytes = Buffer.byteLength(json)
      if (bytes > limits.runBytes) throw tooLarge('limits.runBytes', limits.runBytes)
      const ids = [runId, sessionId, owner].map((id) => (id === undefined ? null : stored(id)))
      const row = await calls.row(`SELECT * FROM ${schema}.create_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, [
        now(),
        recordMs,
        ...ids,
        Math.floor(createdAt),
        leaseMs,
        bytes,
        newToken(),
        json,
      ])
      return text(row, 'status') === 'acquired' ? { status: 'acquired', fence: 1, tail: 0 } : { status: 'exists' }
    },
    async acquire(runId, leaseMs) {
      const values = [now(), recordMs, stored(runId), leaseMs, newToken()]
      const row = await calls.row(`SELECT * FROM ${schema}.acquire_run($1, $2, $3, $4, $5)`, values)
      switch (text(row, 'status')) {
        case 'acquired':
          return { status: 'acquired', fence: integer(row, 'fence'), tail: integer(row, 'tail'), ...wish(row) }
        case 'held':
          return { status: 'held', expiresAt: integer(row, 'expires_at') }
        case 'closed':
          return { status: 'closed' }
        default:
          return { status: 'not_found' }
      }
    },
    async renew(runId, fence, leaseMs) {
      const values = [now(), recordMs, stored(runId), fence, leaseMs]
      const row = await calls.row(`SELECT * FROM ${schema}.renew_run($1, $2, $3, $4, $5)`, values)
      const status = refusalOf(row)
      return status === undefined ? { status: 'renewed', ...wish(row) } : { status }
    },
    async abandoned(limit) {
      const expired = `
        SELECT run_id FROM ${schema}.runs, ${schema}.at($1) AS now_ms
        WHERE closed_at IS NULL AND lease_ends <= now_ms AND lease_ends > now_ms - $2::bigint
        ORDER BY lease_ends LIMIT $3`
      const rows = await calls.rows(expired, [now(), recordMs, limit])
      return rows.flatMap((row) => optionalRestored(row, 'run_id') ?? [])
    },
  }
}

function eventMethods(context: Context): Pick<RunStore, 'append' | 'read'> {
  const { calls, changes, settings } = context
  const { schema, now, retention, limits } = settings

  function send(
    runId: string,
    fence: number,
    { first, events }: { readonly first: number; readonly events: readonly AgentEvent[] },
    outcome: RunOutcome | undefined,
  ): Promise<Row> {
    const json = toJson(events)
    const places = [first, first + events.length - 1, json, Buffer.byteLength(json), limits.runBytes]
    return calls.row(
      `SELECT * FROM ${schema}.append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      (isRepeated) => {
        const lease = [now(), retention.recordMs, stored(runId), fence]
        return [...lease, ...places, outcome === undefined ? null : toJson(outcome), isRepeated]
      },
    )
  }

  return {
    async append(runId, fence, events, close): Promise<AppendResult> {
      let fresh = events
      for (;;) {
        const first = fresh[0]?.seq ?? 0
        const isRow = fresh.every((event, index) => event.seq === first + index)
        // Events that are no row have a hole, wherever the run stands.
        const place = isRow ? first : Number.MAX_SAFE_INTEGER
        const row = await send(runId, fence, { first: place, events: isRow ? fresh : [] }, close?.outcome)
        const status = text(row, 'status')
        if (status === 'appended') {
          if (events.length > 0 || close) changes.notify(runKey(runId))
          return { status, tail: integer(row, 'tail'), ...wish(row) }
        }
        if (status === 'gap') return { status, tail: integer(row, 'tail') }
        if (status === 'too_large') throw tooLarge('limits.runBytes', limits.runBytes)
        const refusal = refusalOf(row)
        if (refusal !== undefined) return { status: refusal }
        const tail = integer(row, 'tail')
        fresh = fresh.filter((event) => event.seq > tail)
      }
    },
    read: (runId, afterSeq, signal) => readRun(context, runId, afterSeq, signal),
  }
}

function cancelMethods({ calls, changes, settings }: Context): Pick<RunStore, 'cancel' | 'cancelled'> {
  const { schema, now, retention } = settings
  const wished = `
    SELECT closed_at IS NOT NULL AS closed, cancelled FROM ${schema}.runs, ${schema}.at($1) AS now_ms
    WHERE run_id = $3 AND coalesce(closed_at, lease_ends) > now_ms - $2::bigint`
  return {
    async cancel(runId, reason) {
      const values = [now(), retention.recordMs, stored(runId), stored(reason)]
      const row = await calls.row(`SELECT * FROM ${schema}.cancel_run($1, $2, $3, $4)`, values)
      changes.notify(runKey(runId))
      return row['is_open'] === true
    },
    async cancelled(runId, signal) {
      const bell = createBell()
      // Before it looks: what is written in between rings.
      const stop = changes.listen(runKey(runId), bell.ring)
      try {
        while (!signal.aborted) {
          const [row] = await calls.rows(wished, [now(), retention.recordMs, stored(runId)])
          if (row === undefined || row['closed'] === true) return undefined
          const reason = optionalRestored(row, 'cancelled')
          if (reason !== undefined) return reason
          await bell.wait(signal)
        }
        return undefined
      } finally {
        stop()
      }
    },
  }
}

function lookupMethods(context: Context): Pick<RunStore, 'snapshot' | 'list' | 'delete'> {
  const { calls, changes, settings } = context
  const { schema, now, retention } = settings
  const found = `
    SELECT tail, closed_at IS NOT NULL AS closed, outcome, cancelled, record,
      CASE WHEN emptied OR closed_at <= now_ms - $3::bigint THEN tail + 1 ELSE 1 END AS first
    FROM ${schema}.runs, ${schema}.at($1) AS now_ms
    WHERE run_id = $4 AND coalesce(closed_at, lease_ends) > now_ms - $2::bigint`
  return {
    async snapshot(runId) {
      const [row] = await calls.rows(found, [now(), retention.recordMs, retention.eventsMs, stored(runId)])
      if (row === undefined) return undefined
      const place = { tail: integer(row, 'tail'), closed: row['closed'] === true, first: integer(row, 'first') }
      return { record: recordOf(row), ...place, ...defined({ outcome: outcomeOf(row) }), ...wish(row) }
    },
    list: (query) => listRuns(context, query),
    async delete(runId) {
      await calls.rows(`SELECT ${schema}.remove_run(id) FROM ${schema}.runs WHERE run_id = $1`, [stored(runId)])
      changes.notify(runKey(runId))
    },
  }
}

/** Why a write was refused; undefined where it was not. */
function refusalOf(row: Row): 'not_found' | 'closed' | 'fenced' | undefined {
  const status = text(row, 'status')
  switch (status) {
    case 'not_found':
    case 'closed':
    case 'fenced':
      return status
    case 'renewed':
    case 'overlap':
      return undefined
    default:
      throw unavailable(`Postgres gave an unexpected status "${status}"`)
  }
}

function wish(row: Row): { readonly cancelled?: string } {
  return defined({ cancelled: optionalRestored(row, 'cancelled') })
}
