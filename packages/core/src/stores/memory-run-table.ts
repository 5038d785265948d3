import type { AgentEvent, RunOutcome } from '../protocol/events.ts'
import { type Clock, systemClock } from '../kit/clock.ts'
import { type ChangeSignal, changeSignal } from '../kit/change-signal.ts'
import type { RunRecord } from './run-store.ts'
import { storeFull } from './store-full.ts'

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

export interface MemoryRun {
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

/**
 * The runs of a memory store, within its limits; what has expired is dropped when the table is next used, an abandoned
 * run when it is looked for or its room is needed.
 */
export interface MemoryRunTable {
  readonly clock: Clock
  find(runId: string): MemoryRun | undefined
  /** @throws MillraceError `store_unavailable` */
  add(record: RunRecord): MemoryRun
  /** Adds `events` at the run's tail. @throws MillraceError `store_unavailable` */
  append(run: MemoryRun, events: readonly AgentEvent[]): void
  close(runId: string, run: MemoryRun, outcome: RunOutcome): void
  /** Open runs whose lease has expired. */
  abandoned(): [runId: string, run: MemoryRun][]
  /** All runs that have not expired. */
  all(): readonly MemoryRun[]
  drop(runId: string, run: MemoryRun): void
}

export function memoryRunTable(options: MemoryRunStoreOptions): MemoryRunTable {
  const { clock = systemClock } = options
  const { eventsMs = 3_600_000, recordMs = 86_400_000 } = options.retention ?? {}
  const { runChars = 33_554_432 } = options.limits ?? {}
  const hasExpired = (run: MemoryRun): boolean => !run.closed && run.leaseEnds + recordMs <= clock.now()
  const rows = memoryRunRows(options.limits ?? {}, hasExpired)

  function expire(): void {
    for (const [runId, run] of rows.readable) {
      if (run.closed && run.closed.at + eventsMs > clock.now()) break
      rows.dropEvents(runId, run)
    }
    for (const [runId, run] of rows.closed) {
      if (run.closed && run.closed.at + recordMs > clock.now()) break
      rows.drop(runId, run)
    }
  }

  return {
    clock,
    find(runId) {
      expire()
      const run = rows.open.get(runId) ?? rows.closed.get(runId)
      if (!run || !hasExpired(run)) return run
      rows.drop(runId, run)
      return undefined
    },
    add(record) {
      const recordJson = JSON.stringify(record)
      if (recordJson.length > runChars) throw storeFull('limits.runChars', runChars)
      rows.reserve(1, recordJson.length)
      const run = emptyRun(recordJson)
      rows.open.set(record.runId, run)
      return run
    },
    append(run, events) {
      const size = events.reduce((sum, event) => sum + estimateChars(event), 0)
      if (run.recordJson.length + run.eventChars + size > runChars) throw storeFull('limits.runChars', runChars)
      rows.reserve(0, size)
      for (const event of events) run.events.push(event)
      run.tail += events.length
      run.eventChars += size
    },
    close(runId, run, outcome) {
      run.closed = { outcome, at: clock.now() }
      rows.open.delete(runId)
      rows.closed.set(runId, run)
      rows.readable.set(runId, run)
    },
    abandoned() {
      return [...rows.open].filter(([, run]) => run.leaseEnds <= clock.now() && !hasExpired(run))
    },
    all() {
      expire()
      return [...rows.open.values(), ...rows.closed.values()].filter((run) => !hasExpired(run))
    },
    drop: (runId, run) => rows.drop(runId, run),
  }
}

interface MemoryRunRows {
  readonly open: Map<string, MemoryRun>
  /** In the order of closing: the first one expires first. */
  readonly closed: Map<string, MemoryRun>
  /** The closed runs whose events are still there, in the same order. */
  readonly readable: Map<string, MemoryRun>
  dropEvents(runId: string, run: MemoryRun): void
  drop(runId: string, run: MemoryRun): void
  /** Counts what is about to be stored, and forgets closed and expired runs for it. @throws MillraceError `store_unavailable` */
  reserve(runs: number, chars: number): void
}

function memoryRunRows(
  limits: NonNullable<MemoryRunStoreOptions['limits']>,
  hasExpired: (run: MemoryRun) => boolean,
): MemoryRunRows {
  const { runs: maxRuns = 10_000, chars: maxChars = 268_435_456 } = limits
  const open = new Map<string, MemoryRun>()
  const closed = new Map<string, MemoryRun>()
  const readable = new Map<string, MemoryRun>()
  let stored = 0

  function dropEvents(runId: string, run: MemoryRun): void {
    readable.delete(runId)
    stored -= run.eventChars
    run.eventChars = 0
    run.events = []
    run.changed.notify()
  }

  function drop(runId: string, run: MemoryRun): void {
    dropEvents(runId, run)
    stored -= run.recordJson.length
    open.delete(runId)
    closed.delete(runId)
  }

  function isFull(runs: number, chars: number): boolean {
    return open.size + closed.size + runs > maxRuns || stored + chars > maxChars
  }

  function reserve(runs: number, chars: number): void {
    // Open runs are in no order of their leases: they are looked through only where the table is full.
    if (isFull(runs, chars)) for (const [runId, run] of open) if (hasExpired(run)) drop(runId, run)
    for (const [runId, run] of readable) {
      if (stored + chars <= maxChars) break
      dropEvents(runId, run)
    }
    for (const [runId, run] of closed) {
      if (!isFull(runs, chars)) break
      drop(runId, run)
    }
    if (open.size + closed.size + runs > maxRuns) throw storeFull('limits.runs', maxRuns)
    if (stored + chars > maxChars) throw storeFull('limits.chars', maxChars)
    stored += chars
  }

  return { open, closed, readable, dropEvents, drop, reserve }
}

function emptyRun(recordJson: string): MemoryRun {
  return {
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
      return head + charsOfJson(event)
  }
}

/**
 * About as many characters as the value has as JSON. To write the JSON only to count it took 4 % of the CPU time of a long
 * answer, since the last event of a turn holds all of its text again.
 */
function charsOfJson(value: unknown): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return 8
  let sum = 2
  for (const [key, member] of Object.entries(value)) sum += key.length + 4 + charsOfJson(member)
  return sum
}
