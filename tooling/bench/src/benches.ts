import type { Comparison } from './compare.ts'
import { flagDecision } from './flags.ts'
import { telemetryPerDelta, telemetryPerRun } from './telemetry.ts'

export interface Bench {
  readonly comparison: Comparison
  /** How often the work is done in one round. */
  readonly units: number
}

/** Every bench by the name that `pnpm bench NAME` knows it by. */
export const benches: Readonly<Record<string, Bench>> = {
  'flag-decision': { comparison: flagDecision, units: 100_000 },
  'telemetry-per-delta': { comparison: telemetryPerDelta, units: 20_000 },
  'telemetry-per-run': { comparison: telemetryPerRun, units: 200 },
}
