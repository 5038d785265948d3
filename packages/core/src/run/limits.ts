import { aCount, aDelay, checkOptions, withDefaults } from '../kit/checks.ts'

export interface Limits {
  /** How often the model may be asked, retries not counted. Default: 50. */
  readonly turns: number
  /** How often in a row the model may pause (`pause_turn`, `compaction`) and be asked to go on. Default: 10. */
  readonly pauses: number
  /** Calls of one turn that run at once; of `readOnly` ones, as many again may have started early. Default: 8. */
  readonly parallelTools: number
  /** Milliseconds that a call may take, where its tool says nothing else. Default: 120,000. */
  readonly toolTimeout: number
  /** Milliseconds after that for the tool to stop by itself, before its outcome counts as unknown. Default: 1,000. */
  readonly toolAbortGrace: number
  /** Milliseconds that an interrupt waits for running tools. Default: 5,000. */
  readonly interruptGrace: number
  /** Milliseconds that a middleware may take beside what it wraps. Default: 5,000. */
  readonly middlewareGrace: number
  /**
   * Milliseconds that the model may take for one turn, with all its attempts and the pauses between them. The run then ends
   * as at an interrupt, with outcome `limit`. Default: no limit.
   */
  readonly turnTime?: number
  /** Milliseconds that a run may take in this process, tools included. It then ends likewise. Default: no limit. */
  readonly runTime?: number
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

const rules = {
  turns: aCount(1),
  pauses: aCount(0),
  parallelTools: aCount(1),
  toolTimeout: aDelay(),
  toolAbortGrace: aDelay(0),
  interruptGrace: aDelay(0),
  middlewareGrace: aDelay(),
  flagDeadline: aDelay(),
  turnTime: aDelay(),
  runTime: aDelay(),
}

/** @throws MillraceError with the option's path and what is expected there */
export function readLimits(given: Partial<Limits> = {}): Limits {
  checkOptions(given, 'limits', rules)
  return withDefaults(defaults, given)
}
