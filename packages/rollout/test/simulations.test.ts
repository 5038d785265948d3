import { sized } from '@millrace/config/sized'
import { describe, expect, it } from 'vitest'
import type { SimulationParts } from '../src/simulate/simulate.ts'
import { type SimulationSummary, summarize } from '../src/simulate/summarize.ts'
import type { World } from '../src/simulate/world.ts'
import { peekingZTest, pooledOverStages } from './mutants.ts'
import { readPlan } from '../src/plan/read-plan.ts'
import { short, shortPlan } from './plans.ts'

/** Runs that stream, from the jump to the rollback, at 25 percent. `docs/rollout.md` states these. */
const stated = { p50: 125, p95: 260 }

const rollouts = sized({ quick: 30, long: 1000 })

/** What a share that is truly `rate` stays below in the quick sample, by three standard errors; in full size, `rate` itself. */
const atMost = (rate: number): number =>
  sized({ quick: rate + 3 * Math.sqrt((rate * (1 - rate)) / rollouts), long: rate })

/** How much larger a quantile of the quick sample may be. */
const slack = sized({ quick: 1.25, long: 1 })

const healthy: World = {
  seed: 1,
  runsPerDay: 3000,
  users: 20_000,
  rates: { run_error: { streaming: 0.02, control: 0.02 }, incomplete_stream: { streaming: 0.01 } },
}
/** A quarter of a day in which half of all runs fail, streaming or not, while half of the users stream. */
const outage: World = {
  ...healthy,
  changes: [{ stage: 'half', day: 0.25, days: 0.25, rates: { run_error: { streaming: 0.4, control: 0.4 } } }],
}
/** One user in a hundred fails nearly always, and each user has two runs a day. */
const clustered: World = {
  ...healthy,
  runsPerDay: 8000,
  users: 4000,
  rates: { run_error: { streaming: 0.004, control: 0.004 }, incomplete_stream: { streaming: 0.005 } },
  cluster: { share: 0.01, rate: 0.8 },
}

/** Long enough for a user who fails to fail many times. */
const long = readPlan(shortPlan({ stages: [{ name: 'beta', percent: 10, minDwell: '4d', maxDwell: '14d' }] }))

function run(world: World, parts?: SimulationParts): SimulationSummary {
  return summarize(world === clustered ? long : short, world, rollouts, parts)
}

describe('without a difference between the groups', () => {
  it.each([
    ['at constant rates', healthy],
    ['in a ramp with an outage that hits both groups', outage],
    ['with users who fail in clusters', clustered],
  ])('rolls back at most alpha of the rollouts %s, and finishes the others', (_name, world) => {
    const { rolledBack, done, held } = run(world)
    expect(rolledBack).toBeLessThanOrEqual(atMost(short.alpha))
    expect(done).toBeGreaterThanOrEqual(0.9)
    expect(done + rolledBack + held).toBe(1)
  })
})

describe('at an absolute limit', () => {
  const plan = readPlan(
    shortPlan({
      gates: [{ metric: 'run_error', maxRatio: 1, max: 0.05 }],
      stages: [{ name: 'beta', percent: 50, minDwell: '1h', maxDwell: '5d' }],
    }),
  )
  /** The same users are bad each day, and which of them stream differs with the seed. */
  const sameUsers = (share: number): World => ({
    ...healthy,
    runsPerDay: 1500,
    users: 1000,
    rates: { run_error: { streaming: 0.01, control: 0.01 } },
    cluster: { share, rate: 1 },
  })

  it('rolls back seldom below it, though the same users are bad each day', () => {
    expect(summarize(plan, sameUsers(0.03), rollouts).rolledBack).toBeLessThanOrEqual(atMost(plan.alpha))
  })

  it('promotes seldom above it, though the same users are bad each day', () => {
    expect(summarize(plan, sameUsers(0.05), rollouts).done).toBeLessThanOrEqual(atMost(plan.beta))
  })
})

describe('wrong methods in its place', () => {
  it('rolls back too often if a z-test is looked at again and again', () => {
    expect(run(healthy, { look: peekingZTest() }).rolledBack).toBeGreaterThan(2 * short.alpha)
  })

  it('rolls back too often if the counts of all stages are pooled', () => {
    expect(run(outage, { look: pooledOverStages(short.alpha) }).rolledBack).toBeGreaterThan(0.5)
  })

  it('rolls back too often if each failed run counts, instead of each unit once', () => {
    expect(run(clustered, { countBy: 'run' }).rolledBack).toBeGreaterThan(2 * short.alpha)
  })
})

describe('with a streaming that is worse', () => {
  const jump: World = {
    ...healthy,
    changes: [{ stage: 'quarter', day: 0.01, rates: { run_error: { streaming: 0.1, control: 0.02 } } }],
  }

  it('catches a jump from 2 % to 10 % of failed runs within the runs that the page states', () => {
    const { rolledBack, runsToRollback, results } = run(jump)
    expect(rolledBack).toBe(1)
    expect(new Set(results.map(({ stage }) => stage))).not.toContain('half')
    expect(runsToRollback?.p50).toBeLessThanOrEqual(stated.p50 * slack)
    expect(runsToRollback?.p95).toBeLessThanOrEqual(stated.p95 * slack)
  })

  it('never promotes a stage whose streams break too often', () => {
    const { done } = run({ ...healthy, rates: { ...healthy.rates, incomplete_stream: { streaming: 0.08 } } })
    expect(done).toBe(0)
  })
})
