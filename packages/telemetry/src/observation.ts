import type { RunDecision, Rung, ToolOutcome, TurnMode } from '@millrace/core'

/** The end of a run, as it is counted. */
export type RunEnd = 'cancelled' | 'completed' | 'failed' | 'limit' | 'refused' | 'taken_over' | 'truncated'

/** The lowest rung of the ladder that a run needed. */
export type RunRung = 'buffered' | 'legacy' | 'stream'

export type ErrorSource = 'request' | 'run' | 'tool'

/** The run that an observation belongs to. */
export interface ObservedRun {
  readonly runId: string
  readonly sessionId: string | undefined
  readonly mode: RunDecision['mode']
  readonly arm: RunDecision['arm']
  /** A label with a bounded number of values. */
  readonly model: string
}

/** The tokens of one request, as the conventions define them: cached tokens are part of `input`. */
export interface TokenCounts {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly reasoning: number
}

export interface EndedRun {
  readonly type: 'run.ended'
  readonly run: ObservedRun
  readonly end: RunEnd
  readonly rung: RunRung
  readonly turns: number
  readonly ms: number
  readonly firstTextMs: number | undefined
  /** Set only for a failed run. */
  readonly errorType: string | undefined
}

export interface EndedRequest {
  readonly type: 'request.ended'
  readonly run: ObservedRun
  readonly mode: TurnMode
  readonly model: string
  readonly ms: number
  readonly firstChunkMs: number | undefined
  /** `interrupted`, or the code of the error; undefined where the answer arrived whole. */
  readonly errorType: string | undefined
  readonly tokens: TokenCounts
}

export interface EndedTool {
  readonly type: 'tool.ended'
  readonly run: ObservedRun
  readonly tool: string
  readonly toolUseId: string | undefined
  readonly outcome: ToolOutcome
  /** Whether the user stopped the run while it ran. */
  readonly interrupted: boolean
  readonly ms: number
}

export interface SeenFallback {
  readonly type: 'fallback'
  readonly run: ObservedRun
  readonly turn: number
  readonly from: TurnMode
  readonly to: Rung
  readonly reason: string
  readonly stage: 'after_output' | 'before_output'
}

export interface SeenRetraction {
  readonly type: 'retraction'
  readonly run: ObservedRun
  readonly turn: number
  readonly reason: string
}

/** What telemetry observes. Metrics, logs and the window are built from these. */
export type Observation =
  | EndedRequest
  | EndedRun
  | EndedTool
  | SeenFallback
  | SeenRetraction
  | { readonly type: 'run.started'; readonly run: ObservedRun }
  /** A run that is no longer followed because there are too many. Its end is not counted. */
  | { readonly type: 'run.lost'; readonly run: ObservedRun }
  | { readonly type: 'run.resumed'; readonly run: ObservedRun }

export type Observe = (observation: Observation) => void

/** Returns the outcome under which a tool call is counted: a call of unknown outcome that the user stopped is `cancelled`. */
export function countedOutcome({ outcome, interrupted }: Pick<EndedTool, 'interrupted' | 'outcome'>): ToolOutcome {
  return interrupted && outcome === 'unknown' ? 'cancelled' : outcome
}

/** Whether the end of a tool call counts against its tool. */
export function isToolFailure(outcome: ToolOutcome): boolean {
  return outcome === 'error' || outcome === 'timeout' || outcome === 'unknown'
}
