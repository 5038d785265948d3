export { guarded } from './kit/hooks.ts'
export { asMillraceError } from './kit/errors.ts'
export type { AccumulatedBlock } from './protocol/blocks.ts'
export { fault, reasonOf, toFault } from './protocol/faults.ts'
export { isBlank, isContentBlock, isServerToolUse, serverToolResultId, textOf } from './protocol/messages.ts'
export { addUsage, noUsage } from './protocol/usage.ts'
export {
  assistantMessage,
  asWhole,
  blocksOf,
  keptOfPartial,
  pendingServerCalls,
  userMessage,
  withoutRefused,
} from './reduce/history.ts'
export { type Accumulator, type Addition, createAccumulator } from './model/accumulator.ts'
export { bufferedSource, collectedSource } from './model/buffered-source.ts'
export { createSseParser } from './model/sse-parser.ts'
export { noteEvent, parseEvent } from './model/stream-event.ts'
export { streamSource } from './model/stream-source.ts'
export type { Watchdog } from './model/watchdog.ts'
export type { SourceOptions, StreamEvent, TurnSource } from './model/turn-source.ts'
export { drainTime, openEventStream, type OpenedStream, watchedStream } from './model/watched-stream.ts'
export { type PermittedEnd, settlePermit } from './recovery/circuit-breaker.ts'
export { judgeAnswer } from './recovery/judge-answer.ts'
export {
  type BrokenAttempt,
  countFailure,
  type NextStep,
  nextStep,
  noFailures,
  type Request,
  type TurnFailures,
} from './recovery/ladder.ts'
export type { RecoveryPolicy } from './recovery/policy.ts'
export { readRecovery } from './recovery/read-recovery.ts'
export { createRepetitionFilter, type RepetitionFilter } from './recovery/repetition-filter.ts'
export { reserve } from './recovery/retry-budget.ts'
export { salvage } from './recovery/salvage.ts'
