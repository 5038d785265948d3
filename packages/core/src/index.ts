export { adaptLoop, type AdaptedLoop } from './adapt/adapt-loop.ts'
export type { AdaptedInput, AdaptLoopOptions } from './adapt/adapt-options.ts'
export type { AsyncScope, LegacyScope } from './adapt/async-scope.ts'
export type { HandedOver, Handover } from './adapt/legacy-run.ts'
export { createAgent, type LocalAgent } from './agent.ts'
export type { AgentCallbacks, CallbackMeta } from './callbacks.ts'
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
} from './errors.ts'
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
} from './events.ts'
export { answerText, closeHistory } from './history.ts'
export {
  type AssistantMessage,
  type ContentBlock,
  type InputMessage,
  type Message,
  type ToolUseBlock,
  type Usage,
} from './messages.ts'
export type { KnownContentBlockType, KnownDeltaType, KnownStopReason } from './known-types.ts'
export type { Middleware, RunScope, ToolCall, ToolCallEnd, TurnEnd, TurnScope } from './middleware.ts'
export {
  type DecisionReason,
  type FlagClient,
  type FlagContext,
  type FlagDetails,
  flagKeys,
  type FlagValue,
  type RunDecision,
} from './ports/flag-client.ts'
export type {
  AcquireResult,
  AppendResult,
  CreateResult,
  RenewResult,
  RunLease,
  RunRecord,
  RunSnapshot,
  RunStore,
} from './ports/run-store.ts'
export type { ClaimResult, CommitResult, Session, SessionStore } from './ports/session-store.ts'
export type { SetResult, StateEntry, StateStore } from './ports/state-store.ts'
export type { ModelClient, RequestBody, RequestOptions } from './model-client.ts'
export type { AgentOptions, RequestParams } from './options/agent-options.ts'
export type { Limits } from './options/limits.ts'
export {
  type CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitPermit,
  type CircuitState,
  createCircuitBreaker,
} from './recovery/circuit-breaker.ts'
export type { RecoveryOptions } from './recovery/policy.ts'
export { createRetryBudget, type RetryBudget, type RetryBudgetOptions } from './recovery/retry-budget.ts'
export type { RetryAfterServerTools } from './recovery/server-tools.ts'
export { createRun, type RunDriver, type RunHandle } from './create-run.ts'
export type { Agent, AgentRun, ResumeInput, ResumeResult, Retraction, RunInput, RunResult } from './run.ts'
export { type CancelTimer, type Clock, type Runtime, systemClock, systemRuntime } from './runtime.ts'
export {
  defineTool,
  type Reconciliation,
  type Tool,
  type ToolContext,
  ToolError,
  type ToolOptions,
  type ToolOutput,
  type ToolProgress,
} from './tools/define-tool.ts'
export { createToolLedger, type LedgerEntry, type ToolLedger } from './tools/ledger.ts'
export type {
  InputIssue,
  InputOf,
  InputResult,
  PlainToolSchema,
  StandardToolSchema,
  ToolSchema,
} from './tools/schema.ts'
