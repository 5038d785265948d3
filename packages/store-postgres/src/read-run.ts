import type { AgentEvent } from '@millrace/core'
import { createBell, eventsMissed } from '@millrace/core/kit'
import { type Context, runKey } from './context.ts'
import { integer, optionalText, type Row, stored } from './rows.ts'

/** Appends read at once. */
const batchesAtOnce = 32

/** The events of a run after `afterSeq`, stored and to come. */
export async function* readRun(
  { calls, changes, settings }: Context,
  runId: string,
  afterSeq: number,
  signal: AbortSignal | undefined,
): AsyncIterable<readonly AgentEvent[]> {
  const { schema, now, retention } = settings
  const page = `
    SELECT tail, closed_at IS NOT NULL AS closed, batch.events
    FROM ${schema}.at($1) AS now_ms CROSS JOIN ${schema}.runs LEFT JOIN LATERAL (
      SELECT last, events FROM ${schema}.batches WHERE run = runs.id AND last > $5 ORDER BY last LIMIT ${batchesAtOnce}
    ) AS batch ON NOT emptied AND (closed_at IS NULL OR closed_at > now_ms - $3::bigint)
    WHERE run_id = $4 AND coalesce(closed_at, lease_ends) > now_ms - $2::bigint ORDER BY batch.last`
  if (isAborted(signal)) return
  const bell = createBell()
  // Before it looks: what is appended in between rings.
  const stop = changes.listen(runKey(runId), bell.ring)
  try {
    let seq = afterSeq
    while (!isAborted(signal)) {
      const rows = await calls.rows(page, [now(), retention.recordMs, retention.eventsMs, stored(runId), seq])
      const [run] = rows
      if (run === undefined) throw eventsMissed(runId, seq)
      const tail = integer(run, 'tail')
      if (seq > tail) throw eventsMissed(runId, seq)
      if (seq < tail) {
        const batch = eventsAfter(seq, rows)
        if (batch[0]?.seq !== seq + 1) throw eventsMissed(runId, seq)
        seq += batch.length
        yield batch
      } else if (run['closed'] === true) {
        return
      } else {
        await bell.wait(signal)
      }
    }
  } finally {
    stop()
  }
}

/** The first row may begin with events that the reader has seen. */
function eventsAfter(seq: number, rows: readonly Row[]): readonly AgentEvent[] {
  return rows.flatMap((row) => parseEvents(optionalText(row, 'events'))).filter((event) => event.seq > seq)
}

function parseEvents(json = '[]'): AgentEvent[] {
  return JSON.parse(json)
}

/** Asked anew each time: it changes while we wait. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}
