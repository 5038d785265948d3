import type { AgentEvent } from '@millrace/core'
import { eventsMissed } from '@millrace/core/kit'
import type { Context } from './context.ts'
import { type Database, text } from './database.ts'
import { findRun, runKey, type RunRow } from './run-rows.ts'

/** Events given to a reader at once, unless one append had more. */
const batchSize = 256

/** The events of a run after `afterSeq`, stored and to come. */
export async function* readRun(
  { db, transactions, changes, settings }: Context,
  runId: string,
  afterSeq: number,
  signal: AbortSignal | undefined,
): AsyncIterable<readonly AgentEvent[]> {
  const { clock, retention } = settings
  let seq = afterSeq
  while (!isAborted(signal)) {
    const { run, batch } = await transactions.read(() => {
      const run = findRun(db, runId, clock.now(), retention)
      return { run, batch: run && seq < run.tail ? readBatch(db, run, seq) : [] }
    })
    if (!run || seq > run.tail) throw eventsMissed(runId, seq)
    if (seq < run.tail) {
      // Another process may have removed expired events since the run was found.
      if (batch[0]?.seq !== seq + 1) throw eventsMissed(runId, seq)
      seq += batch.length
      yield batch
    } else if (run.closed) {
      return
    } else {
      await changes.wait(runKey(runId), signal)
    }
  }
}

function readBatch(db: Database, run: RunRow, seq: number): readonly AgentEvent[] {
  const batch: AgentEvent[] = []
  if (seq + 1 < run.first) return batch
  for (const row of db.rows('SELECT events FROM batches WHERE run = ? AND last > ? ORDER BY last', run.id, seq)) {
    // The first one may begin with events that the reader has seen.
    for (const event of parseEvents(text(row, 'events'))) if (event.seq > seq) batch.push(event)
    if (batch.length >= batchSize) break
  }
  return batch
}

function parseEvents(json: string): AgentEvent[] {
  return JSON.parse(json)
}

/** Asked anew each time: it changes while we wait. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}
