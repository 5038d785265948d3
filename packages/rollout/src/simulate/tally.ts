import type { GroupEvidence, StageEvidence } from '../control/evidence.ts'
import { type Metric, metrics } from '../plan/metrics.ts'

/** Counts the runs of one stage. A unit is counted once for each thing that can be bad. */
export interface Tally {
  add(unit: number, isStreaming: boolean, period: number, bad: (metric: Metric) => boolean): void
  evidence(): StageEvidence
}

interface Group {
  units: number
  observed: number
  readonly bad: Map<Metric, number>
  readonly any: Map<Metric, number>
}

export function createTally(used: readonly Metric[]): Tally {
  /** The last period that each unit was seen in. */
  const seen = new Map<number, number>()
  const failed = new Map(metrics.map((metric) => [metric, new Set<number>()]))
  const groups = { streaming: emptyGroup(), control: emptyGroup() }
  return {
    add(unit, isStreaming, period, bad) {
      const group = isStreaming ? groups.streaming : groups.control
      const last = seen.get(unit)
      const isObserved = last !== period
      if (last === undefined) group.units++
      if (isObserved) {
        seen.set(unit, period)
        group.observed++
      }
      for (const metric of used) {
        if (!bad(metric)) continue
        if (isObserved) group.bad.set(metric, (group.bad.get(metric) ?? 0) + 1)
        const known = failed.get(metric)
        if (known === undefined || known.has(unit)) continue
        known.add(unit)
        group.any.set(metric, (group.any.get(metric) ?? 0) + 1)
      }
    },
    evidence: () => ({ streaming: toEvidence(groups.streaming), control: toEvidence(groups.control) }),
  }
}

function emptyGroup(): Group {
  return { units: 0, observed: 0, bad: new Map(), any: new Map() }
}

function toEvidence({ units, observed, bad, any }: Group): GroupEvidence {
  return { units, observed, bad: Object.fromEntries(bad), any: Object.fromEntries(any) }
}
