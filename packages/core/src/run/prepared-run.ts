import type { MillraceError } from '../kit/errors.ts'
import type { Message } from '../protocol/messages.ts'
import type { RunDecision } from '../protocol/run-decision.ts'
import type { ShownText } from '../reduce/shown-text.ts'
import type { Journal } from './journal.ts'
import type { RunHandle } from './run-handle.ts'
import type { RunInput, RunResult } from './run.ts'

/** A run whose input is checked: how to record and drive it, on a handle that its owner makes. */
export interface PreparedRun {
  readonly input: RunInput
  readonly messages: readonly Message[]
  /** The `seq` of its last stored event; 0 for a new run. */
  readonly tail: number
  /** The decision that is stored; undefined for a new run, and for one whose decision was not stored. */
  readonly decision: RunDecision | undefined
  /** Set if a legacy loop had the run when its process died. */
  readonly legacy: 'under_way' | 'answered' | undefined
  /** What is shown of it, from before it was taken over. */
  readonly shown: ShownText
  /** Opens the run's journal; undefined for an agent without one. */
  readonly open: ((handle: RunHandle) => Promise<Journal>) | undefined
  /**
   * Drives the run to its end. Emits every event but `run.finished`. Without a `decision`, stored or given, it takes one.
   */
  readonly drive: (handle: RunHandle, decision?: RunDecision) => Promise<RunResult>
  /** Returns the result for a `drive` or an `open` that rejected: what is known of the run so far. */
  readonly crashed: (handle: RunHandle, error: MillraceError) => RunResult
}
