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
