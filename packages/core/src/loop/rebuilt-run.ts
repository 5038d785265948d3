import type { RecoveredCalls } from '../tools/recovered-calls.ts'
import type { ToolFinished } from '../protocol/events.ts'
import type { ContentBlock } from '../protocol/messages.ts'
import type { ShownText } from '../reduce/shown-text.ts'
import type { RunDecision } from '../protocol/run-decision.ts'
import type { RunState } from './run-state.ts'

/** A committed turn that has not led on to anything yet. */
export interface PendingTurn extends RecoveredCalls {
  readonly stopReason: string | null
  /** Committed from a stream that broke: it has no stop reason, and calls to run. */
  readonly salvaged: boolean
  readonly attempt: number
  readonly content: readonly ContentBlock[]
}

/** A run as its events tell it. */
export interface RebuiltRun {
  readonly state: RunState
  readonly tail: number
  readonly decision: RunDecision | undefined
  /** Set where the last stored turn was committed and its calls were not all answered, or the run not yet ended. */
  readonly pending: PendingTurn | undefined
  /** The ends of calls that nobody will run: started early for an attempt that is lost, or given no JSON as input. */
  readonly missing: readonly ToolFinished[]
  /** What its consumers have been shown. */
  readonly shown: ShownText
  /** Set once the run was handed over to a legacy loop, of whose doings nothing is stored until it has answered. */
  readonly legacy: 'under_way' | 'answered' | undefined
}
