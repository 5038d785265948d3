import type { AgentEvent, RunOutcome } from '../protocol/events.ts'
import type { Message } from '../protocol/messages.ts'
import type { Retraction } from '../protocol/retraction.ts'

/** What a run was started with: all that another instance needs to take it over. */
export interface RunRecord {
  readonly runId: string
  readonly sessionId?: string
  /** Who may see and cancel the run. Compared, never interpreted. */
  readonly owner?: string
  readonly messages: readonly Message[]
  /** Request parameters of this run, over the agent's. */
  readonly request?: Readonly<Record<string, unknown>>
  readonly createdAt: number
  /** Plain JSON of the caller's own, such as the tenant or the model. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** How its caller wished it to run; it counts for who takes it over before its decision was stored. */
  readonly mode?: 'auto' | 'stream' | 'buffered'
  /** What may happen to shown text, whichever process drives the run. */
  readonly retraction?: Retraction
}

/** The right to drive a run. Every write proves `fence`; a larger fence makes a smaller one worthless. */
export interface RunLease {
  readonly fence: number
  /** The `seq` of the last stored event, 0 where there is none. */
  readonly tail: number
  /** The reason, once somebody asked for the run to stop. */
  readonly cancelled?: string
}

export type CreateResult = ({ readonly status: 'acquired' } & RunLease) | { readonly status: 'exists' }

export type AcquireResult =
  | ({ readonly status: 'acquired' } & RunLease)
  /** `expiresAt`: when the lease ends unless it is renewed, in ms since the epoch. */
  | { readonly status: 'held'; readonly expiresAt: number }
  | { readonly status: 'closed' }
  | { readonly status: 'not_found' }

export type RenewResult =
  | { readonly status: 'renewed'; readonly cancelled?: string }
  | { readonly status: 'fenced' }
  | { readonly status: 'closed' }
  | { readonly status: 'not_found' }

export type AppendResult =
  | { readonly status: 'appended'; readonly tail: number; readonly cancelled?: string }
  | { readonly status: 'fenced' }
  | { readonly status: 'closed' }
  | { readonly status: 'gap'; readonly tail: number }
  | { readonly status: 'not_found' }

export interface RunSnapshot {
  readonly record: RunRecord
  readonly tail: number
  readonly closed: boolean
  /** Where the run is closed: how it ended. */
  readonly outcome?: RunOutcome
  /** The reason, once somebody asked for the run to stop. */
  readonly cancelled?: string
  /** The oldest `seq` that can still be read, `tail + 1` where none can; events before it have expired. */
  readonly first: number
}

/** A place in a list that is sorted by time, then by id, both descending. */
export interface ListPosition {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly id: string
}

export interface RunQuery {
  /** Only the runs of this owner. Default: those of all. */
  readonly owner?: string
  /** Only the runs that are closed, or only those that are open. Default: both. */
  readonly closed?: boolean
  /** Only what comes after this position: the `createdAt` and the id of the last run of the page before. */
  readonly before?: ListPosition
  readonly limit: number
}

/** A run in a list. */
export interface RunSummary {
  readonly runId: string
  readonly sessionId?: string
  readonly owner?: string
  readonly createdAt: number
  readonly closed: boolean
  /** How the run ended; set once it is closed. */
  readonly outcome?: RunOutcome
  /** The reason, once somebody asked for the run to stop. */
  readonly cancelled?: string
}

/**
 * Where runs and their events are kept, so that a client may come back, on this instance or another, and a run may
 * outlive its process. The events are the journal too: a tool call is in it from its `tool.started` on, its result with
 * `tool.finished`. So nothing of an open run may ever be trimmed.
 *
 * Each method is one atomic step. Methods reject only where the store itself failed, full included.
 */
export interface RunStore {
  /**
   * Whether another process can take over what is stored here. If so, a shutdown hands its runs over; otherwise it
   * interrupts them.
   */
  readonly durable: boolean
  /** Stores the record and grants its first lease, unless the run id exists already, open or closed. */
  create(record: RunRecord, leaseMs: number): Promise<CreateResult>
  /** Grants a lease where there is none or it has expired, to whoever asks. The fence grows with every grant. */
  acquire(runId: string, leaseMs: number): Promise<AcquireResult>
  /** Prolongs a lease whose fence is still the newest, expired or not. With `leaseMs` 0 it gives the lease back. */
  renew(runId: string, fence: number, leaseMs: number): Promise<RenewResult>
  /**
   * Appends `events`, whose `seq` are consecutive, where `fence` is still the newest. Those already stored are skipped, a
   * hole is a `gap`. With `close` the run is closed in the same step; the first close wins.
   */
  append(
    runId: string,
    fence: number,
    events: readonly AgentEvent[],
    close?: { readonly outcome: RunOutcome },
  ): Promise<AppendResult>
  /**
   * The events after `afterSeq`, stored and to come, in batches of what is there at once; no batch is empty. It ends once
   * the run is closed and its last event was given, or when `signal` aborts; it never ends on an event. It throws
   * `events_missed` where events after `afterSeq` have expired, where `afterSeq` is beyond the tail (what the reader saw
   * was lost in a crash, and it has to start over), and where the run is unknown.
   */
  read(runId: string, afterSeq: number, signal?: AbortSignal): AsyncIterable<readonly AgentEvent[]>
  /** Never waits. Undefined where the run is unknown or has expired. */
  snapshot(runId: string): Promise<RunSnapshot | undefined>
  /**
   * A durable wish, and the first one counts: the run's owner sees it with its next append or renewal. False where there
   * is no open run.
   */
  cancel(runId: string, reason: string): Promise<boolean>
  /**
   * Resolves with the reason once somebody has asked for the run to stop, so that its owner need not wait for its next
   * append or renewal. Resolves with undefined when `signal` aborts and where there is no open run. It may be late, and
   * may reject: the wish itself is durable. Without this method the owner learns of a cancel from its appends and renewals.
   */
  cancelled?(runId: string, signal: AbortSignal): Promise<string | undefined>
  /** The runs that are open and whose lease has expired, so that somebody may take them over; the oldest lease first. */
  abandoned(limit: number): Promise<readonly string[]>
  /** Lists runs, the newest first. A run that was created or closed a moment ago may be missing or still be as it was. */
  list(query: RunQuery): Promise<readonly RunSummary[]>
  /**
   * Forgets a run, open or closed, with its events. What its owner then writes is answered with `not_found`, and reading it
   * throws `events_missed`. An unknown run is ignored.
   */
  delete(runId: string): Promise<void>
}
