import { defined } from '../kit/defined.ts'
import { eventsMissed } from '../kit/stored-values.ts'
import type { AgentEvent } from '../protocol/events.ts'
import { type MemoryRunStoreOptions, type MemoryRunTable, memoryRunTable, type MemoryRun } from './memory-run-table.ts'
import { pageOf } from './page-of.ts'
import type { RunLease, RunRecord, RunSnapshot, RunStore, RunSummary } from './run-store.ts'

export type { MemoryRunStoreOptions }

/** Events given to a reader at once. */
const batchSize = 256

/**
 * Runs in this process's memory: gone with the process, and not seen by another. It keeps no timer: what has expired is
 * dropped by the next call. Events are kept as they are given and must not be changed afterwards. Where a limit leaves
 * nothing closed to forget, `create` and `append` reject with `store_unavailable`.
 */
export function memoryRunStore(options: MemoryRunStoreOptions = {}): RunStore {
  const table = memoryRunTable(options)
  return {
    durable: false,
    ...leaseMethods(table),
    ...eventMethods(table),
    read: (...args) => readEvents(table, ...args),
    async list({ owner, closed, ...page }) {
      const wanted = table
        .all()
        .map(summaryOf)
        .filter((run) => (owner ?? run.owner) === run.owner && (closed ?? run.closed) === run.closed)
      return pageOf(wanted, ({ createdAt: at, runId: id }) => ({ at, id }), page)
    },
    async delete(runId) {
      const run = table.find(runId)
      if (run) table.drop(runId, run)
    },
  }
}

function leaseMethods(table: MemoryRunTable): Pick<RunStore, 'create' | 'acquire' | 'renew' | 'abandoned'> {
  const { clock } = table

  function grant(run: MemoryRun, leaseMs: number): { readonly status: 'acquired' } & RunLease {
    run.fence++
    run.leaseEnds = clock.now() + leaseMs
    return { status: 'acquired', fence: run.fence, tail: run.tail, ...wish(run) }
  }

  return {
    async create(record, leaseMs) {
      if (table.find(record.runId)) return { status: 'exists' }
      return grant(table.add(record), leaseMs)
    },
    async acquire(runId, leaseMs) {
      const run = table.find(runId)
      if (!run) return { status: 'not_found' }
      if (run.closed) return { status: 'closed' }
      if (run.leaseEnds > clock.now()) return { status: 'held', expiresAt: run.leaseEnds }
      return grant(run, leaseMs)
    },
    async renew(runId, fence, leaseMs) {
      const run = table.find(runId)
      if (!run) return { status: 'not_found' }
      if (run.closed) return { status: 'closed' }
      if (run.fence !== fence) return { status: 'fenced' }
      run.leaseEnds = clock.now() + leaseMs
      return { status: 'renewed', ...wish(run) }
    },
    async abandoned(limit) {
      return table
        .abandoned()
        .sort(([, a], [, b]) => a.leaseEnds - b.leaseEnds)
        .slice(0, limit)
        .map(([runId]) => runId)
    },
  }
}

function eventMethods(table: MemoryRunTable): Pick<RunStore, 'append' | 'snapshot' | 'cancel' | 'cancelled'> {
  return {
    async append(runId, fence, events, close) {
      const run = table.find(runId)
      if (!run) return { status: 'not_found' }
      if (run.closed) return { status: 'closed' }
      if (run.fence !== fence) return { status: 'fenced' }
      const fresh = events.filter((event) => event.seq > run.tail)
      if (fresh.some((event, index) => event.seq !== run.tail + index + 1)) return { status: 'gap', tail: run.tail }
      table.append(run, fresh)
      if (close) table.close(runId, run, close.outcome)
      run.changed.notify()
      return { status: 'appended', tail: run.tail, ...wish(run) }
    },
    async snapshot(runId) {
      const run = table.find(runId)
      if (!run) return undefined
      const record = recordOf(run)
      const hasExpired = run.tail > run.events.length
      const first = hasExpired ? run.tail + 1 : 1
      const snapshot: RunSnapshot = { record, tail: run.tail, closed: run.closed !== undefined, first, ...wish(run) }
      return run.closed ? { ...snapshot, outcome: run.closed.outcome } : snapshot
    },
    async cancel(runId, reason) {
      const run = table.find(runId)
      if (!run || run.closed) return false
      run.cancelled ??= reason
      run.changed.notify()
      return true
    },
    async cancelled(runId, signal) {
      while (!signal.aborted) {
        const run = table.find(runId)
        if (!run || run.closed) return undefined
        if (run.cancelled !== undefined) return run.cancelled
        await run.changed.wait(signal)
      }
      return undefined
    },
  }
}

async function* readEvents(
  table: MemoryRunTable,
  runId: string,
  afterSeq: number,
  signal: AbortSignal | undefined,
): AsyncIterable<readonly AgentEvent[]> {
  if (afterSeq > (table.find(runId)?.tail ?? 0)) throw eventsMissed(runId, afterSeq)
  let seq = afterSeq
  for (;;) {
    if (signal?.aborted === true) return
    const run = table.find(runId)
    if (!run || (seq < run.tail && run.events.length === 0)) throw eventsMissed(runId, seq)
    if (seq < run.tail) {
      const batch = run.events.slice(seq, seq + batchSize)
      seq += batch.length
      yield batch
    } else if (run.closed) {
      return
    } else {
      await run.changed.wait(signal)
    }
  }
}

function recordOf({ recordJson }: MemoryRun): RunRecord {
  return JSON.parse(recordJson)
}

function summaryOf(run: MemoryRun): RunSummary {
  const { runId, sessionId, owner, createdAt } = recordOf(run)
  const { closed } = run
  const summary = { runId, ...defined({ sessionId, owner, outcome: closed?.outcome }), createdAt }
  return { ...summary, closed: closed !== undefined, ...wish(run) }
}

function wish(run: MemoryRun): { readonly cancelled?: string } {
  return run.cancelled === undefined ? {} : { cancelled: run.cancelled }
}
