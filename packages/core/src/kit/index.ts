export {
  aBoolean,
  aClock,
  aCount,
  aDelay,
  aFunction,
  aListOf,
  anId,
  anObject,
  anything,
  aRecordOf,
  aSignal,
  checkOptions,
  oneOf,
  refuse,
  type Rule,
  rule,
  unknownOption,
  withDefaults,
  withMethods,
} from './checks.ts'
export { type Bell, createBell } from './bell.ts'
export { type ChangeSignal, changeSignal } from './change-signal.ts'
export { aDuration } from './duration.ts'
export { timeLimit, wait } from './clock.ts'
export { type Defined, defined } from './defined.ts'
export { hasMethod, isObject, isRecord, parseJson } from './guards.ts'
export { guarded } from './hooks.ts'
export { nearest } from './nearest.ts'
export { readRuntime } from './read-runtime.ts'
export { checkCounters, eventsMissed, toJson } from './stored-values.ts'
export { type LinkedController, linkedController, onAbort } from './signals.ts'
