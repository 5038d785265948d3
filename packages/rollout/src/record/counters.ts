import type { GroupEvidence, StageEvidence } from '../control/evidence.ts'
import { type Metric, metrics } from '../plan/metrics.ts'

/** The key of a rollout's state in the store. */
export function stateKey(name: string): string {
  return `millrace:rollout:${name}`
}

/** The key of the counts of one epoch. */
export function countsKey(name: string, epoch: number): string {
  return `millrace:rollout:${name}:counts:${epoch}`
}

/** Names the counters of one group. All instances add to the same ones. */
export const counterNames = {
  units: (arm: Arm): string => `${arm}.units`,
  observed: (arm: Arm): string => `${arm}.observed`,
  bad: (arm: Arm, metric: Metric): string => `${arm}.bad.${metric}`,
  any: (arm: Arm, metric: Metric): string => `${arm}.any.${metric}`,
} as const

type Arm = keyof StageEvidence

/** Reads the counters of one epoch. */
export function toEvidence(counters: Readonly<Record<string, number>>): StageEvidence {
  const group = (arm: Arm): GroupEvidence => ({
    units: counters[counterNames.units(arm)] ?? 0,
    observed: counters[counterNames.observed(arm)] ?? 0,
    bad: byMetric((metric) => counters[counterNames.bad(arm, metric)]),
    any: byMetric((metric) => counters[counterNames.any(arm, metric)]),
  })
  return { streaming: group('streaming'), control: group('control') }
}

function byMetric(read: (metric: Metric) => number | undefined): Partial<Record<Metric, number>> {
  return Object.fromEntries(
    metrics.flatMap((metric) => {
      const count = read(metric)
      return count === undefined ? [] : [[metric, count] as const]
    }),
  )
}
