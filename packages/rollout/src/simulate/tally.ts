import type { GroupEvidence, StageEvidence } from '../control/evidence.ts'
import { type Metric, metrics } from '../plan/metrics.ts'

/** Counts the runs of one stage. A unit is counted once for each thing that can be bad. */
export interface Tally {
  add(unit: number, isStreaming: boolean, bad: (metric: Metric) => boolean): void
  evidence(): StageEvidence
}

interface Group {
  units: number
  readonly first: Map<Metric, number>
  readonly any: Map<Metric, number>
}

export function createTally(used: readonly Metric[]): Tally {
  const seen = new Set<number>()
  const failed = new Map(metrics.map((metric) => [metric, new Set<number>()]))
  const groups = { streaming: emptyGroup(), control: emptyGroup() }
  return {
    add(unit, isStreaming, bad) {
      const group = isStreaming ? groups.streaming : groups.control
      const isFirst = !seen.has(unit)
      if (isFirst) {
        seen.add(unit)
        group.units++
      }
      for (const metric of used) {
        if (!bad(metric)) continue
        if (isFirst) group.first.set(metric, (group.first.get(metric) ?? 0) + 1)
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
  return { units: 0, first: new Map(), any: new Map() }
}

function toEvidence({ units, first, any }: Group): GroupEvidence {
  return { units, first: Object.fromEntries(first), any: Object.fromEntries(any) }
}
