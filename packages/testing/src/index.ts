export { type Chunking } from './stream/chunking.ts'
export { type Clock, systemClock } from './kit/clock.ts'
export { type Conversation, type OfferedTool, type ToolResult } from './script/conversation.ts'
export { demoScript } from './script/demo-script.ts'
export { isTestingError, TestingError, type TestingErrorCode } from './kit/errors.ts'
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
} from './faults/fault.ts'
export { type FaultKindDescription, faultKinds } from './faults/fault-kinds.ts'
export { parseFaultPlan } from './faults/check-fault-plan.ts'
export { type FaultPlan } from './server/fault-plan.ts'
export { type JsonObject } from './kit/guards.ts'
export { type MessageProblem } from './validation/message-problem.ts'
export { type RequestRecord } from './server/request-record.ts'
export { type Script } from './script/script.ts'
export { type ClaudeOptions, type ClaudeStats, type ScriptedClaude, startClaude } from './server/server.ts'
export { isRedactedData, isSigned, redactedData, sign } from './script/signature.ts'
export { type ContentBlock, largeText, type Pace, text, thinking, toolUse, type Turn } from './script/turn.ts'
export { validateMessages, type ValidateMessagesOptions } from './validation/validate-messages.ts'
export { validateRequest } from './validation/validate-request.ts'
export { type CaseResult } from './grade/grade-case.ts'
export { type Column, columns, type Findings } from './grade/columns.ts'
export { type Expected, expectedFrom, type ExpectedRule, parseExpectedTable } from './grade/expected-table.ts'
export { type FaultCase, type FaultFrequency, faultMatrix, type FaultMatrixOptions } from './grade/fault-matrix.ts'
export { gradeLoop, type GradeOptions, type LoopGrades } from './grade/grade-loop.ts'
export { type Job, type JobTool, type LoopOutcome, type LoopReport, type LoopUnderTest } from './grade/job.ts'
export { type Layout, type LayoutStep, type LayoutTool } from './layouts/layout.ts'
export { layouts } from './layouts/layouts.ts'
export { type LayoutTurn, layoutTurns } from './layouts/layout-turns.ts'
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
} from './grade/report.ts'
