import type { ToolLimits } from '../tools/tool-runner.ts'
import { checkCount, checkDelay, checkKeys, withDefaults } from './check.ts'

export interface Limits extends ToolLimits {
  /** How often the model may be asked, retries not counted. Default: 50. */
  readonly turns: number
  /** How often in a row the model may pause (`pause_turn`, `compaction`) and be asked to go on. Default: 10. */
  readonly pauses: number
  /** Calls of one turn that run at once. Default: 8. */
  readonly parallelTools: number
  /** Milliseconds that a call may take, where its tool says nothing else. Default: 120,000. */
  readonly toolTimeout: number
  /** Milliseconds after that for the tool to stop by itself, before its outcome counts as unknown. Default: 1,000. */
  readonly toolAbortGrace: number
  /** Milliseconds that an interrupt waits for running tools. Default: 5,000. */
  readonly interruptGrace: number
  /** Milliseconds that a middleware may take beside what it wraps. Default: 5,000. */
  readonly middlewareGrace: number
  /** Milliseconds that the flag source may take for a decision. Default: 50. */
  readonly flagDeadline: number
}

const defaults: Limits = {
  turns: 50,
  pauses: 10,
  parallelTools: 8,
  toolTimeout: 120_000,
  toolAbortGrace: 1_000,
  interruptGrace: 5_000,
  middlewareGrace: 5_000,
  flagDeadline: 50,
}

export function readLimits(given: Partial<Limits> = {}): Limits {
  checkKeys(given, 'limits', Object.keys(defaults))
  checkCount(given.turns, 'limits.turns', 1)
  checkCount(given.pauses, 'limits.pauses', 0)
  checkCount(given.parallelTools, 'limits.parallelTools', 1)
  checkDelay(given.toolTimeout, 'limits.toolTimeout')
  checkDelay(given.toolAbortGrace, 'limits.toolAbortGrace', 0)
  checkDelay(given.interruptGrace, 'limits.interruptGrace', 0)
  checkDelay(given.middlewareGrace, 'limits.middlewareGrace')
  checkDelay(given.flagDeadline, 'limits.flagDeadline')
  return withDefaults(defaults, given)
}
