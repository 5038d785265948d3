import { readPlan } from '../src/plan/read-plan.ts'
import type { RolloutPlan } from '../src/plan/plan.ts'

/** A plan of short stages, as a file holds it. */
export function shortPlan(changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    version: 1,
    name: 'short',
    unit: 'user',
    stages: [
      { name: 'beta', percent: 5, minDwell: '12h', maxDwell: '5d' },
      { name: 'quarter', percent: 25, minDwell: '12h', maxDwell: '5d' },
      { name: 'half', percent: 50, minDwell: '12h', maxDwell: '5d' },
    ],
    gates: [
      { metric: 'run_error', maxRatio: 1 },
      { metric: 'incomplete_stream', max: 0.05 },
    ],
    ...changes,
  }
}

export const short: RolloutPlan = readPlan(shortPlan())
