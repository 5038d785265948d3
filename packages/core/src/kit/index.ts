export {
  aBoolean,
  aCount,
  aDelay,
  aFunction,
  anId,
  anObject,
  anything,
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
export { timeLimit, wait } from './clock.ts'
export { type Defined, defined } from './defined.ts'
export { hasMethod, isObject, isRecord } from './guards.ts'
export { readRuntime } from './read-runtime.ts'
export { type LinkedController, linkedController } from './signals.ts'
