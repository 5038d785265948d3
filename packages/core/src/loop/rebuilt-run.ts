import type { RunDecision } from '../protocol/run-decision.ts'
import type { RunResumed, ToolFinished } from '../protocol/events.ts'
import type { ShownText } from '../reduce/shown-text.ts'
import type { ResumePoint } from './resume-point.ts'
import type { LoopEnd } from './run-context.ts'
import type { RunState } from './run-state.ts'

/** How far a run has come. What is left out is as in a run that has not begun. */
export interface RebuiltRun {
  readonly state: RunState
  /** Where it goes on. */
  readonly from: ResumePoint
  /** The `seq` of its last stored event. */
  readonly tail?: number
  readonly decision?: RunDecision | undefined
  /**
   * What is to be sent before the run goes on: that it was taken over, and the ends of calls that nobody will run, since
   * they were started early for an attempt that is lost, or given no JSON as input.
   */
  readonly missing?: readonly (RunResumed | ToolFinished)[]
  /** What its consumers have been shown. */
  readonly shown?: ShownText
  /** Set once the run was handed over to a legacy loop, of whose doings nothing is stored until it has answered. */
  readonly legacy?: 'under_way' | 'answered' | undefined
  /** How it ends without any further turn. */
  readonly end?: LoopEnd | undefined
}
