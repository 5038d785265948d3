export { backgroundClock } from './background-clock.ts'
export { bucketCount, bucketOf } from './bucket.ts'
export { changeFlag, changeKill, changeSegment, type FlagChange } from './change-flag.ts'
export { changeStateFlags, type ChangeStateFlagsOptions, defaultStateKey } from './change-state-flags.ts'
export { combineFlags, type CombineFlagsOptions } from './combine-flags.ts'
export { compileFlags, type CompileOptions, type FlagSet } from './compile.ts'
export {
  type BucketAlgorithm,
  type FlagDefinition,
  type FlagDocument,
  flagFormat,
  type FlagMetadata,
  type FlagRollout,
  type FlagSegment,
  type JsonValue,
} from './document.ts'
export { FlagFormatError, isFlagFormatError } from './errors.ts'
export { fixedFlags, type FixedFlagsOptions } from './fixed-flags.ts'
export { createFlagHolder, type FlagHolder, type FlagHolderOptions } from './flag-holder.ts'
export { type FlagIssue, flagIssue, formatIssue, formatIssues, hasErrors } from './issues.ts'
export { pinFlags, type PinFlagsOptions } from './pin-flags.ts'
export { type FlagReading, readFlagDocument, type ReadResult } from './read-document.ts'
export {
  type BooleanDetails,
  failedDetails,
  type FlagDescription,
  type FlagErrorCode,
  type FlagProblem,
  type FlagReason,
  type FlagResolution,
  type FlagSource,
  type FlagSourceEvent,
  type LocalFlagSource,
  markStale,
  type SourceDescription,
  toBooleanDetails,
} from './source.ts'
export { createSourceHealth, type SourceHealth, type SourceHealthOptions } from './source-health.ts'
export { stateFlags, type StateFlagsOptions } from './state-flags.ts'
export { aTargetingEngine, type CompiledTargeting, type TargetingEngine, type TargetingResult } from './targeting.ts'
