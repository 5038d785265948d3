import type { Metric } from '../plan/metrics.ts'

/** What was counted of one group in one stage. A metric that is missing is 0. */
export interface GroupEvidence {
  /** Units that were seen. */
  readonly units: number
  /** Observations: the first run of each unit in each `period` of the plan. Absolute gates use these. */
  readonly observed: number
  /** Observations that were bad. */
  readonly bad: Readonly<Partial<Record<Metric, number>>>
  /** Units that had at least one bad run in the stage. Relative gates use these. */
  readonly any: Readonly<Partial<Record<Metric, number>>>
}

/** What was counted in one stage. A unit belongs to the group it was drawn for, whatever its runs then do. */
export interface StageEvidence {
  readonly streaming: GroupEvidence
  readonly control: GroupEvidence
}

const noGroupEvidence: GroupEvidence = { units: 0, observed: 0, bad: {}, any: {} }
export const noEvidence: StageEvidence = { streaming: noGroupEvidence, control: noGroupEvidence }
