import type { Metric } from './metrics.ts'

/** What one failure is counted for. A percentage that is drawn by user needs `user`. */
export type BucketingUnit = 'run' | 'session' | 'user'

/** One step of a rollout. The percentage is constant within it, and its evidence starts from zero. */
export interface RolloutStage {
  readonly name: string
  /** Share of units that stream, 0 to 100. At 0, only `segments` stream. */
  readonly percent: number
  /** Names of `$segments` whose members stream whatever the percentage. They are never part of the comparison. */
  readonly segments: readonly string[]
  /** Milliseconds that the stage must have been watched before it can be promoted. */
  readonly minDwell: number
  /** Milliseconds after which a stage without a decision is held for a person. */
  readonly maxDwell: number
  /** What the stage counts. `run` suits an internal stage, which has few users. Default: `unit`, that of the plan. */
  readonly count: 'run' | 'unit'
  /** `manual`: waits for a person where it would be promoted. */
  readonly promote: 'auto' | 'manual'
}

/** A limit on one metric. */
export interface RolloutGate {
  readonly metric: Metric
  /** Relative: the failure rate of units that stream may be at most this many times that of the control group. */
  readonly maxRatio?: number
  /** Absolute: at most this share of observations of units that stream may be bad, above 0 and below 1. */
  readonly max?: number
  /** Milliseconds from which `slow_run` and `slow_first_text` count as bad. */
  readonly above?: number
}

/** A rollout's plan, checked and with its defaults. Durations are milliseconds. */
export interface RolloutPlan {
  readonly version: 1
  readonly name: string
  /** The boolean flag whose percentage the rollout sets. */
  readonly flag: string
  readonly unit: BucketingUnit
  /** Draws the units; another salt draws them again. */
  readonly salt: string
  /** The most that the probability of a false rollback may be, over the whole rollout. */
  readonly alpha: number
  /** The most that the probability may be of promoting a stage whose bad share is at an absolute gate's `max`. */
  readonly beta: number
  /** The most that the probability may be of a false alarm of the sample ratio check, in one stage. */
  readonly sampleRatioAlpha: number
  /** Data without a change for longer than this is stale, and holds the rollout. */
  readonly maxDataAge: number
  /** Runs that start within this time after a change of the percentage are not counted. */
  readonly settle: number
  /** An observation is the first run of a unit in each stretch of this length, for absolute gates. */
  readonly period: number
  readonly stages: readonly RolloutStage[]
  readonly gates: readonly RolloutGate[]
}
