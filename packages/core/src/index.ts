export { createAgent, type LocalAgent } from './agent.ts'
export type { AgentCallbacks, CallbackMeta } from './run/callbacks.ts'
export {
  type ClientError,
  clientError,
  type ConfigErrorCode,
  type ErrorCode,
  type FaultCode,
  isMillraceError,
  MillraceError,
  type MillraceErrorOptions,
  type RunErrorCode,
} from './kit/errors.ts'
export {
  type AgentEvent,
  type AgentEventType,
  type BlockFinished,
  type BlockPlace,
  type BlockStarted,
  checksum,
  type EventBody,
  type EventHead,
  type Fallback,
  type FallbackReason,
  type RetractionReason,
  type RunFinished,
  type RunOutcome,
  type RunStarted,
  type Rung,
  type TextDelta,
  type ThinkingDelta,
  type ToolFinished,
  type ToolInput,
  type ToolOutcome,
  type ToolProgressed,
  type ToolResultContent,
  type ToolStarted,
  type TurnFinished,
  type TurnMode,
  type TurnRetracted,
  type TurnStarted,
} from './protocol/events.ts'
export { answerText, closeHistory } from './reduce/history.ts'
export {
  type AssistantMessage,
  type ContentBlock,
  type InputMessage,
  isContentBlock,
  isMessage,
  type Message,
  messageOf,
  type ToolUseBlock,
  type Usage,
} from './protocol/messages.ts'
export type { KnownContentBlockType, KnownDeltaType, KnownStopReason } from './protocol/known-types.ts'
export type { Middleware, RunScope, ToolCall, ToolCallEnd, TurnEnd, TurnScope } from './run/middleware.ts'
export type { DecisionReason, RunDecision } from './protocol/run-decision.ts'
export { type FlagClient, type FlagContext, type FlagDetails, flagKeys, type FlagValue } from './run/flag-client.ts'
export type {
  AcquireResult,
  AppendResult,
  CreateResult,
  ListPosition,
  RenewResult,
  RunLease,
  RunQuery,
  RunRecord,
  RunSnapshot,
  RunStore,
  RunSummary,
} from './stores/run-store.ts'
export type {
  ClaimResult,
  CommitResult,
  Session,
  SessionQuery,
  SessionStore,
  SessionSummary,
} from './stores/session-store.ts'
export type { SetResult, StateEntry, StateStore } from './stores/state-store.ts'
export type { ModelClient, RequestBody, RequestOptions } from './model/model-client.ts'
export type { AgentOptions } from './loop/agent-options.ts'
export type { RequestParams } from './model/request-params.ts'
export type { Limits } from './run/limits.ts'
export {
  type CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitPermit,
  type CircuitState,
  createCircuitBreaker,
} from './recovery/circuit-breaker.ts'
export type { RecoveryOptions } from './recovery/policy.ts'
export { createRetryBudget, type RetryBudget, type RetryBudgetOptions } from './recovery/retry-budget.ts'
export { mayAskAgain, type RetryAfterServerTools } from './recovery/server-tools.ts'
export { createRun, type RunDriver } from './run/create-run.ts'
export type { RunHandle } from './run/run-handle.ts'
export type { PreparedRun } from './run/prepared-run.ts'
export type { Journal } from './run/journal.ts'
export {
  type Agent,
  agentOf,
  type AgentSource,
  type DrivableAgent,
  type NotTaken,
  type ResumeInput,
  type ResumeResult,
} from './run/agent.ts'
export { readRetraction } from './run/read-input.ts'
export type { AgentRun, MoveOptions, RunInput, RunResult } from './run/run.ts'
export type { Retraction } from './protocol/retraction.ts'
export { type CancelTimer, type Clock, type Runtime, systemClock, systemRuntime } from './kit/clock.ts'
export {
  defineTool,
  type PlainToolOptions,
  type PreparedCall,
  type ReconcileContext,
  type Reconciliation,
  type Tool,
  type ToolContext,
  ToolError,
  type ToolOptions,
  type ToolOutput,
} from './tools/define-tool.ts'
export type { ToolProgress } from './protocol/events.ts'
export { createToolLedger } from './tools/ledger.ts'
export type { LedgerEntry, ToolLedger } from './run/tool-ledger.ts'
export type {
  InputIssue,
  InputResult,
  PlainToolSchema,
  StandardToolSchema,
  ToolSchema,
  ValidatedToolSchema,
} from './tools/schema.ts'
export { adaptLoop, type AdaptedLoop } from './adapt/adapt-loop.ts'
export type { AdaptedInput, AdaptedRunInput, AdaptLoopOptions } from './adapt/adapt-options.ts'
export type { AsyncScope, LegacyScope } from './adapt/async-scope.ts'
export type { HandedOver, Handover } from './adapt/handed-over.ts'
