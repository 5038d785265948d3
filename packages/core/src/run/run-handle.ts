import type { MillraceError } from '../kit/errors.ts'
import type { AgentEvent, EventBody } from '../protocol/events.ts'
import type { ShownText } from '../reduce/shown-text.ts'
import type { AgentCallbacks } from './callbacks.ts'
import type { Journal } from './journal.ts'

/** A run, as its driver sees it: one numbering, one set of consumers and one journal, whatever drives it. */
export interface RunHandle {
  readonly runId: string
  /** Aborts when the run is interrupted; its reason is a MillraceError `aborted`. */
  readonly signal: AbortSignal
  /** What the run shows, up to the last event. */
  readonly shown: ShownText
  /** Calls `callbacks` with what is emitted from now on, and interrupts the run when `signal` aborts. */
  readonly attach: (callbacks: AgentCallbacks | undefined, signal: AbortSignal | undefined) => void
  /** Writes every event from now on to the journal that `open` gives. Rejects where `open` does; nothing is then recorded. */
  readonly record: (open: (handle: RunHandle) => Promise<Journal>) => Promise<void>
  /** Numbers, dates and sends an event. */
  readonly emit: (body: EventBody) => void
  /** Sends everything that `body` emits while it runs as one batch: one push, one append, one write. */
  readonly batch: <T>(body: () => T) => T
  /** Returns undefined if consumers and journal keep up, else a promise to wait for before more is read from the model. */
  readonly ready: () => Promise<void> | undefined
  /** Resolves once everything emitted so far is durable; rejects `store_unavailable` or `lease_lost`. */
  readonly flush: () => Promise<void>
  /** Returns why the run can no longer be recorded and had to be given up; undefined as long as it can. */
  readonly lost: () => MillraceError | undefined
  /** Makes the run's result wait for `work`, which must not reject. The last event does not wait. */
  readonly defer: (work: Promise<void>) => void
  /** Whether the run stops at the end of this turn, because another process goes on with it. */
  readonly isMoving: () => boolean
  /** Stops the run and keeps what was said. The first call counts. */
  readonly interrupt: (reason?: string) => void
  /** Calls `observer` with each later event; one that is added twice is called once. A throw is reported and ignored. */
  readonly observe: (observer: (event: AgentEvent) => void) => void
  /** Reports what was recovered from: a fault, or a hook that failed. */
  readonly report: (error: MillraceError) => void
}
