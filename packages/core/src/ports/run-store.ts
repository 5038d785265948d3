import type { AgentEvent, RunOutcome } from '../events.ts'
import type { Message } from '../messages.ts'

/** What a run was started with: all that another instance needs to take it over. */
export interface RunRecord {
  readonly runId: string
  readonly sessionId?: string
  /** Who may see and cancel the run. Compared, never interpreted. */
  readonly owner?: string
  readonly messages: readonly Message[]
  readonly createdAt: number
  /** Plain JSON of the caller's own, such as the tenant or the model. */
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** The right to drive a run. Every write proves `fence`; a larger fence makes a smaller one worthless. */
export interface RunLease {
  readonly fence: number
  /** The `seq` of the last stored event, 0 where there is none. */
  readonly tail: number
  /** Set once somebody asked for the run to stop. */
  readonly cancelled?: string
}

export type AcquireResult =
  | ({ readonly status: 'acquired' } & RunLease)
  | { readonly status: 'held'; readonly expiresAt: number }
  | { readonly status: 'closed' }
  | { readonly status: 'not_found' }

export type RenewResult =
  | { readonly status: 'renewed'; readonly cancelled?: string }
  | { readonly status: 'fenced' }
  | { readonly status: 'closed' }

export type AppendResult =
  | { readonly status: 'appended'; readonly tail: number; readonly cancelled?: string }
  | { readonly status: 'fenced' }
  | { readonly status: 'closed' }
  | { readonly status: 'gap'; readonly tail: number }

export interface RunSnapshot {
  readonly record: RunRecord
  readonly tail: number
  readonly closed: boolean
  readonly outcome?: RunOutcome
  readonly cancelled?: string
  /** The oldest `seq` that can still be read; events before it have expired. */
  readonly first: number
}

/**
 * Where runs and their events are kept, so that a client may come back, on this instance or another, and a run may
 * outlive its process. Each method is one atomic step. Methods reject only where the store itself failed.
 */
export interface RunStore {
  /** Stores the record and grants its first lease. A run id that exists already is `held` or `closed`. */
  create(record: RunRecord, leaseMs: number): Promise<AcquireResult>
  /** Grants a lease where there is none or it has expired. The fence grows with every grant. */
  acquire(runId: string, leaseMs: number): Promise<AcquireResult>
  /** Prolongs a lease whose fence is still the newest. */
  renew(runId: string, fence: number, leaseMs: number): Promise<RenewResult>
  /**
   * Appends `events`, whose `seq` are consecutive. Those already stored are skipped, a hole is a `gap`. With `close` the
   * run is closed in the same step; the first close wins.
   */
  append(
    runId: string,
    fence: number,
    events: readonly AgentEvent[],
    close?: { readonly outcome: RunOutcome },
  ): Promise<AppendResult>
  /**
   * The events after `afterSeq`, stored and to come. It ends once the run is closed and its last event was given, or
   * when `signal` aborts; it never ends on an event. Rejects `events_missed` where events after `afterSeq` have expired.
   */
  read(runId: string, afterSeq: number, signal?: AbortSignal): AsyncIterable<AgentEvent>
  /** Never waits. Undefined where the run is unknown or has expired. */
  snapshot(runId: string): Promise<RunSnapshot | undefined>
  /** A durable wish: the run's owner sees it with its next append or renewal. False where there is no open run. */
  cancel(runId: string, reason: string): Promise<boolean>
  /** The runs that are open and whose lease has expired, so that somebody may take them over. */
  abandoned(limit: number): Promise<readonly string[]>
}
