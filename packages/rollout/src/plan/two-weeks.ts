/**
 * The plan that `millrace-rollout init` writes: internal users, a limited beta with a monitoring period, a gradual
 * expansion, and everyone but a holdback. Thirteen days if each stage is promoted as soon as it may be.
 */
export function twoWeekPlan(options: {
  readonly name: string
  readonly unit: 'run' | 'session' | 'user'
  /** Milliseconds that 95 of 100 runs of the legacy loop keep. Undefined: no gate on latency. */
  readonly baselineP95?: number
}): Readonly<Record<string, unknown>> {
  const { name, unit, baselineP95 } = options
  return {
    version: 1,
    name,
    flag: 'use_streaming',
    unit,
    alpha: 0.05,
    maxDataAge: '6h',
    stages: [
      { name: 'internal', percent: 0, segments: ['internal'], count: 'run', minDwell: '1d', maxDwell: '7d' },
      { name: 'beta', percent: 5, segments: ['internal'], minDwell: '3d', maxDwell: '10d' },
      { name: 'expand-10', percent: 10, segments: ['internal'], minDwell: '1d', maxDwell: '7d' },
      { name: 'expand-25', percent: 25, segments: ['internal'], minDwell: '2d', maxDwell: '7d' },
      { name: 'expand-50', percent: 50, segments: ['internal'], minDwell: '3d', maxDwell: '7d' },
      { name: 'full', percent: 95, segments: ['internal'], minDwell: '3d', maxDwell: '14d' },
    ],
    gates: [
      { metric: 'run_error', maxRatio: 1 },
      { metric: 'tool_failure', maxRatio: 1 },
      ...(baselineP95 === undefined ? [] : [{ metric: 'slow_run', maxRatio: 1, above: baselineP95 }]),
      { metric: 'incomplete_stream', max: 0.05 },
    ],
  }
}
