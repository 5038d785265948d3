export { type Chunking } from './chunking.ts'
export { type Clock, systemClock } from './clock.ts'
export { type Conversation, type OfferedTool, type ToolResult } from './conversation.ts'
export { demoScript } from './demo-script.ts'
export { isTestingError, TestingError, type TestingErrorCode } from './errors.ts'
export {
  type AnswerFault,
  describeFault,
  type Fault,
  type FaultKind,
  type FaultMatch,
  type FaultPosition,
  type FaultRule,
  leakCanary,
  type Quirk,
  type StreamFault,
  type TransportFault,
} from './fault.ts'
export { type FaultKindDescription, faultKinds } from './fault-kinds.ts'
export { parseFaultPlan } from './check-fault-plan.ts'
export { type FaultPlan } from './fault-plan.ts'
export { type JsonObject } from './json.ts'
export { type MessageProblem } from './message-problem.ts'
export { type RequestRecord } from './request-record.ts'
export { type Script } from './script.ts'
export { type ClaudeOptions, type ClaudeStats, type ScriptedClaude, startClaude } from './server.ts'
export { isRedactedData, isSigned, redactedData, sign } from './signature.ts'
export { type ContentBlock, largeText, type Pace, text, thinking, toolUse, type Turn } from './turn.ts'
export { validateMessages, type ValidateMessagesOptions } from './validate-messages.ts'
export { validateRequest } from './validate-request.ts'
export { type CaseResult } from './grade-case.ts'
export { type Column, columns, type Findings } from './columns.ts'
export { type Expected, expectedFrom, type ExpectedRule, parseExpectedTable } from './expected-table.ts'
export { type FaultCase, type FaultFrequency, faultMatrix, type FaultMatrixOptions } from './fault-matrix.ts'
export { gradeLoop, type GradeOptions, type LoopGrades } from './grade-loop.ts'
export { type Job, type JobTool, type LoopOutcome, type LoopReport, type LoopUnderTest } from './job.ts'
export { type Layout, type LayoutStep, type LayoutTool } from './layout.ts'
export { layouts } from './layouts.ts'
export { type LayoutTurn, layoutTurns } from './layout-turns.ts'
export { bufferedLoop } from './loops/buffered.ts'
export { eagerSideEffectsLoop } from './loops/eager-side-effects.ts'
export { endOfStreamIsSuccessLoop } from './loops/end-of-stream-is-success.ts'
export { hangLoop } from './loops/hang.ts'
export { lostTailLoop } from './loops/lost-tail.ts'
export { naiveLoop } from './loops/naive.ts'
export { noRetractionLoop } from './loops/no-retraction.ts'
export { rerunEverythingLoop } from './loops/rerun-everything.ts'
export {
  formatProgress,
  formatReport,
  isAsItShould,
  type ReportOptions,
  type ReportSummary,
  summarize,
} from './report.ts'
