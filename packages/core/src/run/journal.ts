import type { MillraceError } from '../kit/errors.ts'
import type { AgentEvent } from '../protocol/events.ts'

/** What makes one run durable. */
export interface Journal {
  /** Resolves once everything emitted so far is durable; rejects `store_unavailable` or `lease_lost`. */
  readonly barrier: () => Promise<void>
  /** Undefined where the store keeps up, else a promise to wait for before more is read from the model. */
  readonly ready: () => Promise<void> | undefined
  /** Stores the last event, and closes the run. */
  readonly finish: (last: AgentEvent) => Promise<void>
  /** Why the run had to be given up, once it had. */
  readonly lost: () => MillraceError | undefined
}

/** Without a store nothing is durable, and nothing waits for it. */
export const noJournal: Journal = {
  barrier: () => Promise.resolve(),
  ready: () => undefined,
  finish: () => Promise.resolve(),
  lost: () => undefined,
}
