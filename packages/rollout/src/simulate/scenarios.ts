import type { Metric } from '../plan/metrics.ts'
import type { RolloutPlan } from '../plan/plan.ts'
import type { Rates, World } from './world.ts'

/** A world with a name, for a table. */
export interface Scenario {
  readonly name: string
  readonly world: World
}

export interface ScenarioOptions {
  readonly seed: number
  readonly runsPerDay: number
  readonly users: number
}

type RateTable = Readonly<Partial<Record<Metric, Rates>>>

/**
 * The worlds that a plan is worth trying in: some without a difference between the groups, in which it should finish, and
 * some in which streaming gets worse at the beginning of the second stage that draws users.
 */
export function scenariosFor(plan: RolloutPlan, { seed, runsPerDay, users }: ScenarioOptions): readonly Scenario[] {
  const used = new Set(plan.gates.map(({ metric }) => metric))
  const only = (rates: RateTable): RateTable =>
    Object.fromEntries(Object.entries(rates).filter(([metric]) => [...used].some((known) => known === metric)))
  const usual: RateTable = only({
    run_error: { streaming: 0.02, control: 0.02 },
    tool_failure: { streaming: 0.02, control: 0.02 },
    slow_run: { streaming: 0.05, control: 0.05 },
    slow_first_text: { streaming: 0.01 },
    incomplete_stream: { streaming: 0.01 },
    fallback: { streaming: 0.01 },
  })
  const healthy: World = { seed, runsPerDay, users, internalRunsPerDay: runsPerDay / 10, rates: usual }
  const drawn = plan.stages.filter(({ percent }) => percent > 0)
  const second = drawn[1] ?? drawn[0]
  const last = drawn.at(-1)
  const from = (rates: RateTable, days = Infinity, stage = second?.name): World => ({
    ...healthy,
    changes: [{ ...(stage !== undefined && { stage }), day: 0.01, days, rates: only(rates) }],
  })
  return [
    { name: 'no difference', world: healthy },
    {
      name: 'an outage of six hours that hits both groups',
      world: from({ run_error: { streaming: 0.4, control: 0.4 } }, 0.25, last?.name),
    },
    { name: 'users who fail in clusters', world: { ...healthy, cluster: { share: 0.01, rate: 0.8 } } },
    { name: 'failed runs 2 % → 4 %', world: from({ run_error: { streaming: 0.04, control: 0.02 } }) },
    { name: 'failed runs 2 % → 10 %', world: from({ run_error: { streaming: 0.1, control: 0.02 } }) },
    { name: 'failed runs 2 % → 30 %', world: from({ run_error: { streaming: 0.3, control: 0.02 } }) },
    { name: 'streams that do not complete 1 % → 20 %', world: from({ incomplete_stream: { streaming: 0.2 } }) },
  ]
}
