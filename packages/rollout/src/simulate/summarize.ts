import type { RolloutPlan } from '../plan/plan.ts'
import { simulate, type SimulationParts } from './simulate.ts'
import type { SimulatedRollout, World } from './world.ts'

/** What many simulations of one world had in common. */
export interface SimulationSummary {
  readonly rollouts: number
  /** Shares of rollouts, 0 to 1. */
  readonly done: number
  readonly rolledBack: number
  readonly held: number
  /** Days until it ended, of those that were done: the middle one, and the one that 95 of 100 keep. */
  readonly daysToDone: Quantiles | undefined
  /** Streaming runs from the change of the rates to the rollback. */
  readonly runsToRollback: Quantiles | undefined
  readonly results: readonly SimulatedRollout[]
}

export interface Quantiles {
  readonly p50: number
  readonly p95: number
}

/** Simulates a world `rollouts` times, with seeds that follow one another. */
export function summarize(
  plan: RolloutPlan,
  world: World,
  rollouts: number,
  parts: SimulationParts = {},
): SimulationSummary {
  const results = Array.from({ length: rollouts }, (_, index) =>
    simulate(plan, { ...world, seed: world.seed + index * 7919 }, parts),
  )
  const ended = (end: SimulatedRollout['end']): readonly SimulatedRollout[] =>
    results.filter((result) => result.end === end)
  return {
    rollouts,
    done: ended('done').length / rollouts,
    rolledBack: ended('rolled_back').length / rollouts,
    held: ended('held').length / rollouts,
    daysToDone: quantiles(ended('done').map(({ days }) => days)),
    runsToRollback: quantiles(ended('rolled_back').map((result) => result.streamingRunsAfterChange)),
    results,
  }
}

function quantiles(values: readonly number[]): Quantiles | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number | undefined =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  const p50 = at(0.5)
  const p95 = at(0.95)
  return p50 === undefined || p95 === undefined ? undefined : { p50, p95 }
}
