import type { Metric } from '../plan/metrics.ts'

/** Shares of bad runs, 0 to 1. */
export interface Rates {
  readonly streaming: number
  /** Default: 0. Metrics that only streaming has, have no control group. */
  readonly control?: number
}

/** Rates that hold from a moment on, whatever stage follows. */
export interface Change {
  /** Days after the start, or after the first entry of `stage`. Default: 0. */
  readonly day?: number
  readonly stage?: string
  /** How long it lasts, in days. Default: for good. */
  readonly days?: number
  readonly rates: Readonly<Partial<Record<Metric, Rates>>>
}

/** What a rollout is simulated in. */
export interface World {
  readonly seed: number
  readonly runsPerDay: number
  /** Users who have these runs. A user is drawn for each run. Default: 10,000. */
  readonly users?: number
  /** Runs per day of the members of segments, beside the others. Default: a hundredth of `runsPerDay`. */
  readonly internalRunsPerDay?: number
  readonly rates: Readonly<Partial<Record<Metric, Rates>>>
  readonly changes?: readonly Change[]
  /** Users who fail together: this share of users has this rate of `run_error`, in both groups. */
  readonly cluster?: { readonly share: number; readonly rate: number }
  /** Days after which the simulation ends. Default: 60. */
  readonly days?: number
}

/** How a simulated rollout went. */
export interface SimulatedRollout {
  readonly end: 'done' | 'held' | 'rolled_back' | 'running'
  /** Where it ended. */
  readonly stage: string
  readonly days: number
  /** Runs that streamed, without those of segments. */
  readonly streamingRuns: number
  /** Of those, the ones after the first change took effect. */
  readonly streamingRunsAfterChange: number
  /** Of the stages that were entered, when, and with how many percent. */
  readonly path: readonly { readonly day: number; readonly stage: string; readonly percent: number }[]
  readonly reason: string
}
