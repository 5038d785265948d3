import type { MillraceError } from '../kit/errors.ts'
import type { AgentEvent } from '../protocol/events.ts'

/** What makes one run durable. */
export interface Journal {
  /** Waits, where a run that was taken over is not to go on at once. */
  readonly begin?: () => Promise<void>
  /** Takes a batch of events to store, all but the last one. */
  readonly record: (events: readonly AgentEvent[]) => void
  /** Resolves once everything recorded so far is durable; rejects `store_unavailable` or `lease_lost`. */
  readonly flush: () => Promise<void>
  /** Returns undefined if the store keeps up, else a promise to wait for before more is read from the model. */
  readonly ready: () => Promise<void> | undefined
  /** Stores the last event, and closes the run; a run that is moving is let go instead, for another process to take. */
  readonly finish: (last: AgentEvent) => Promise<void>
  /** Returns why the run had to be given up; undefined as long as it can be recorded. */
  readonly lost: () => MillraceError | undefined
}

/** Without a store nothing is durable, and nothing waits for it. */
export const noJournal: Journal = {
  record: () => {},
  flush: () => Promise.resolve(),
  ready: () => undefined,
  finish: () => Promise.resolve(),
  lost: () => undefined,
}
