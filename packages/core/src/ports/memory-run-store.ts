import { MillraceError } from '../errors.ts'
import type { AgentEvent, RunOutcome } from '../events.ts'
import { type Clock, systemClock } from '../runtime.ts'
import { type ChangeSignal, changeSignal } from './change-signal.ts'
import type { RunRecord, RunSnapshot, RunStore } from './run-store.ts'

export interface MemoryRunStoreOptions {
  /** Default: the system's. */
  readonly clock?: Clock
  readonly retention?: {
    /** How long the events of a closed run can be read, in milliseconds. Default: 1 hour. */
    readonly eventsMs?: number
    /** How long a closed run can be looked up, and an abandoned one taken over, in milliseconds. Default: 24 hours. */
    readonly recordMs?: number
  }
  readonly limits?: {
    /** Runs; beyond it the one that was closed first is forgotten. Default: 10,000. */
    readonly runs?: number
    /** Estimated characters of one run's record and events. Default: 33,554,432. */
    readonly runChars?: number
    /** Of all runs together; beyond it the events of the run that was closed first are forgotten. Default: 268,435,456. */
    readonly chars?: number
  }
}

interface StoredRun {
  readonly recordJson: string
  /** Event `seq` is at index `seq - 1`; empty once they have expired. */
  events: AgentEvent[]
  tail: number
  fence: number
  leaseEnds: number
  cancelled: string | undefined
  closed: { readonly outcome: RunOutcome; readonly at: number } | undefined
  eventChars: number
  readonly changed: ChangeSignal
}

/** Events given to a reader at once. */
const batchSize = 256

/**
 * Runs in this process's memory: gone with the process, and not seen by another. It keeps no timer: what has expired is
 * dropped by the next call. Events are kept as they are given and must not be changed afterwards. Where a limit leaves
 * nothing closed to forget, `create` and `append` reject with `store_unavailable`.
 */
export function memoryRunStore(options: MemoryRunStoreOptions = {}): RunStore {
  const { clock = systemClock } = options
  const { eventsMs = 3_600_000, recordMs = 86_400_000 } = options.retention ?? {}
  const { runs: maxRuns = 10_000, runChars = 33_554_432, chars: maxChars = 268_435_456 } = options.limits ?? {}
  const open = new Map<string, StoredRun>()
  // Both in the order of closing: the first one expires first.
  const closed = new Map<string, StoredRun>()
  const readable = new Map<string, StoredRun>()
  let chars = 0

  function find(runId: string): StoredRun | undefined {
    for (const [id, run] of readable) {
      if (run.closed && run.closed.at + eventsMs > clock.now()) break
      dropEvents(id, run)
    }
    for (const [id, run] of closed) {
      if (run.closed && run.closed.at + recordMs > clock.now()) break
      drop(id, run)
    }
    const run = open.get(runId) ?? closed.get(runId)
    if (!run || run.closed || run.leaseEnds + recordMs > clock.now()) return run
    drop(runId, run)
    return undefined
  }

  function dropEvents(runId: string, run: StoredRun): void {
    readable.delete(runId)
    chars -= run.eventChars
    run.eventChars = 0
    run.events = []
    run.changed.notify()
  }

  function drop(runId: string, run: StoredRun): void {
    dropEvents(runId, run)
    chars -= run.recordJson.length
    open.delete(runId)
    closed.delete(runId)
  }

  function makeRoom(runs: number, moreChars: number): void {
    for (const [id, run] of readable) {
      if (chars + moreChars <= maxChars) break
      dropEvents(id, run)
    }
    for (const [id, run] of closed) {
      if (open.size + closed.size + runs <= maxRuns && chars + moreChars <= maxChars) break
      drop(id, run)
    }
    if (open.size + closed.size + runs > maxRuns) throw full('limits.runs', maxRuns)
    if (chars + moreChars > maxChars) throw full('limits.chars', maxChars)
  }

  function grant(run: StoredRun, leaseMs: number): { status: 'acquired'; fence: number; tail: number; cancelled?: string } {
    run.fence++
    run.leaseEnds = clock.now() + leaseMs
    return { status: 'acquired', fence: run.fence, tail: run.tail, ...wish(run) }
  }

  return {
    async create(record, leaseMs) {
      if (find(record.runId)) return { status: 'exists' }
      const recordJson = JSON.stringify(record)
      if (recordJson.length > runChars) throw full('limits.runChars', runChars)
      makeRoom(1, recordJson.length)
      const run: StoredRun = {
        recordJson,
        events: [],
        tail: 0,
        fence: 0,
        leaseEnds: 0,
        cancelled: undefined,
        closed: undefined,
        eventChars: 0,
        changed: changeSignal(),
      }
      open.set(record.runId, run)
      chars += recordJson.length
      return grant(run, leaseMs)
    },
    async acquire(runId, leaseMs) {
      const run = find(runId)
      if (!run) return { status: 'not_found' }
      if (run.closed) return { status: 'closed' }
      if (run.leaseEnds > clock.now()) return { status: 'held', expiresAt: run.leaseEnds }
      return grant(run, leaseMs)
    },
    async renew(runId, fence, leaseMs) {
      const run = find(runId)
      if (!run) return { status: 'not_found' }
      if (run.closed) return { status: 'closed' }
      if (run.fence !== fence) return { status: 'fenced' }
      run.leaseEnds = clock.now() + leaseMs
      return { status: 'renewed', ...wish(run) }
    },
    async append(runId, fence, events, close) {
      const run = find(runId)
      if (!run) return { status: 'not_found' }
      if (run.closed) return { status: 'closed' }
      if (run.fence !== fence) return { status: 'fenced' }
      const fresh = events.filter((event) => event.seq > run.tail)
      if (fresh.some((event, index) => event.seq !== run.tail + index + 1)) return { status: 'gap', tail: run.tail }
      const size = fresh.reduce((sum, event) => sum + estimateChars(event), 0)
      if (run.recordJson.length + run.eventChars + size > runChars) throw full('limits.runChars', runChars)
      makeRoom(0, size)
      run.events.push(...fresh)
      run.tail += fresh.length
      run.eventChars += size
      chars += size
      if (close) {
        run.closed = { outcome: close.outcome, at: clock.now() }
        open.delete(runId)
        closed.set(runId, run)
        readable.set(runId, run)
      }
      run.changed.notify()
      return { status: 'appended', tail: run.tail, ...wish(run) }
    },
    async *read(runId, afterSeq, signal) {
      if (afterSeq > (find(runId)?.tail ?? 0)) throw missed(runId, afterSeq)
      let seq = afterSeq
      while (signal?.aborted !== true) {
        const run = find(runId)
        if (!run || (seq < run.tail && run.events.length === 0)) throw missed(runId, seq)
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
    },
    async snapshot(runId) {
      const run = find(runId)
      if (!run) return undefined
      const record: RunRecord = JSON.parse(run.recordJson)
      const first = run.events.length > 0 ? 1 : run.tail + 1
      const snapshot: RunSnapshot = { record, tail: run.tail, closed: run.closed !== undefined, first, ...wish(run) }
      return run.closed ? { ...snapshot, outcome: run.closed.outcome } : snapshot
    },
    async cancel(runId, reason) {
      const run = find(runId)
      if (!run || run.closed) return false
      run.cancelled ??= reason
      return true
    },
    async abandoned(limit) {
      return [...open]
        .filter(([, run]) => run.leaseEnds <= clock.now() && run.leaseEnds + recordMs > clock.now())
        .sort(([, a], [, b]) => a.leaseEnds - b.leaseEnds)
        .slice(0, limit)
        .map(([runId]) => runId)
    },
  }
}

function wish(run: StoredRun): { cancelled?: string } {
  return run.cancelled === undefined ? {} : { cancelled: run.cancelled }
}

/** Deltas pass by the thousand, and their text says how large they are. */
function estimateChars(event: AgentEvent): number {
  const head = 128
  switch (event.type) {
    case 'text.delta':
    case 'thinking.delta':
      return head + event.text.length
    case 'tool.input':
      return head + event.json.length
    default:
      return head + JSON.stringify(event).length
  }
}

function missed(runId: string, seq: number): MillraceError {
  return new MillraceError('events_missed', `the events of run ${runId} after ${seq} are no longer kept`)
}

function full(option: string, limit: number): MillraceError {
  return new MillraceError('store_unavailable', `the memory store is full: ${option} is ${limit}`, { path: option })
}
