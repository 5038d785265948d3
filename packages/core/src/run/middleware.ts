import type { AgentEvent, ToolOutcome, ToolResultContent, TurnMode, ToolProgress } from '../protocol/events.ts'
import type { AssistantMessage, Message } from '../protocol/messages.ts'
import type { RunDecision } from '../protocol/run-decision.ts'
import type { RunResult } from './run.ts'

/** What a middleware knows of the run it is in. */
export interface RunScope {
  readonly runId: string
  readonly sessionId: string | undefined
  readonly decision: RunDecision
  /** Whether another process began the run, and this one has taken it over. */
  readonly resumed: boolean
  /** Aborts when the run is interrupted. */
  readonly signal: AbortSignal
  /** The model that requests are sent to. */
  readonly model: string
  /**
   * Calls `observe` with each later event, in order; `run.started` was sent before. A function that is given twice, here or
   * as `onEvent` of `adaptLoop`, is called once. A throw is reported and ignored.
   */
  readonly observe: (observe: (event: AgentEvent) => void) => void
}

/** A request that is about to be sent. Give `next` a changed `request` to change it. */
export interface TurnScope extends RunScope {
  readonly turn: number
  readonly attempt: number
  readonly mode: TurnMode
  /** The body of the Messages API request. */
  readonly request: Readonly<Record<string, unknown>> & { readonly messages: readonly Message[] }
}

/** What came of one request. `broken` is followed by the next rung of the recovery ladder. */
export type TurnEnd =
  | { readonly status: 'whole'; readonly message: AssistantMessage }
  | { readonly status: 'broken'; readonly error: Error; readonly message: AssistantMessage | undefined }
  | { readonly status: 'interrupted'; readonly message: AssistantMessage | undefined }

/** A tool call that is about to run. Give `next` a changed call to change its input or its progress. */
export interface ToolCall {
  readonly toolUseId: string
  readonly name: string
  readonly input: unknown
  readonly signal: AbortSignal
  readonly idempotencyKey: string
  readonly progress: (report: ToolProgress) => void
  /** Whether the tool streams by the run's decision; where false, `progress` does nothing. */
  readonly streams: boolean
  readonly readOnly: boolean
}

/** What came of a tool call. `output` is what the tool gave, `result` what the model is told. */
export interface ToolCallEnd {
  readonly outcome: ToolOutcome
  readonly result: ToolResultContent
  readonly output?: unknown
  readonly error?: unknown
}

/**
 * One layer of the onion around a run, each request of it, and each tool call. The first in `use` is outermost. A
 * middleware calls `next` exactly once and gives its result; that of a run or a call it may change, that of a request
 * changes nothing. One that throws is reported
 * (`middleware_failed`) and left out: where it had not called `next`, `next` is called in its place; where it had, that
 * result is used. It never fails a run.
 */
export interface Middleware {
  readonly name: string
  readonly run?: (scope: RunScope, next: () => Promise<RunResult>) => Promise<RunResult>
  readonly turn?: (scope: TurnScope, next: (scope: TurnScope) => Promise<TurnEnd>) => Promise<TurnEnd>
  readonly tool?: (
    call: ToolCall,
    next: (call: ToolCall) => Promise<ToolCallEnd>,
    scope: RunScope,
  ) => Promise<ToolCallEnd>
}
