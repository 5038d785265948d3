import { expect, it } from 'vitest'
import { readPlan } from '../src/plan/read-plan.ts'
import { twoWeekPlan } from '../src/plan/two-weeks.ts'
import { shortPlan } from './plans.ts'

it('reads the plan that init writes, with its defaults', () => {
  const plan = readPlan(twoWeekPlan({ name: 'chat', unit: 'user', baselineP95: 9000 }))
  expect(plan.stages.map(({ name, percent }) => [name, percent])).toEqual([
    ['internal', 0],
    ['beta', 5],
    ['expand-10', 10],
    ['expand-25', 25],
    ['expand-50', 50],
    ['full', 95],
  ])
  expect(plan).toMatchObject({ flag: 'use_streaming', salt: 'use_streaming', beta: 0.05, settle: 60_000 })
  expect(plan.gates).toContainEqual({ metric: 'slow_run', maxRatio: 1, above: 9000 })
})

const stage = { name: 'beta', percent: 5, minDwell: '1h', maxDwell: '1d' }
const gate = { metric: 'run_error', maxRatio: 1, max: 0.1 }

it.each([
  [{ alhpa: 0.05 }, 'unknown option "alhpa"; did you mean "alpha"?'],
  [{ alpha: 1 }, 'alpha must be a number above 0 and below 1'],
  [{ unit: 'tenant' }, 'unit must be one of "user", "session", "run"'],
  [{ name: undefined }, 'name is missing: it must be a string that is not empty'],
  [{ version: 2 }, 'version must be one of 1'],
  [{ stages: [] }, 'stages must hold at least one stage'],
  [{ stages: undefined }, 'stages must be a list'],
  [{ stages: [{ ...stage, percent: 101 }] }, 'stages[0].percent must be a number from 0 to 100'],
  [{ stages: [{ ...stage, percent: 100 }] }, 'stages[0].percent must leave a holdback'],
  [{ stages: [{ ...stage, percent: 0 }] }, 'stages[0].segments must name a segment'],
  [
    { stages: [{ ...stage, minDwell: '2 weeks' }] },
    'stages[0].minDwell must be a duration such as "30m", "12h" or "3d", not "2 weeks"',
  ],
  [{ stages: [{ ...stage, maxDwell: '1m' }] }, 'stages[0].maxDwell must not be shorter than minDwell'],
  [{ stages: [{ ...stage, count: 'run' }] }, 'stages[0].count must be "unit" above 0 percent'],
  [{ stages: [stage, stage] }, 'stages[1].name must be unique'],
  [{ stages: [stage, { ...stage, name: 'next', percent: 1 }] }, 'stages[1].percent must not be below the 5'],
  [{ gates: [{ metric: 'latency', max: 0.1 }] }, 'gates[0].metric must be one of "run_error"'],
  [{ gates: [{ metric: 'run_error' }] }, 'gates[0] must have "maxRatio"'],
  [{ gates: [{ metric: 'fallback', maxRatio: 1 }] }, 'gates[0].maxRatio does not apply to fallback'],
  [{ gates: [{ metric: 'slow_run', maxRatio: 1 }] }, 'gates[0].above is missing'],
  [{ gates: [{ ...gate, above: 3 }] }, 'gates[0].above applies to slow_run and slow_first_text only'],
  [{ gates: [gate, gate] }, 'gates[1].metric must be unique'],
  [{ gates: [{ metric: 'run_error', maxRatio: 1 }] }, 'gates must hold at least one gate with "max"'],
  [{ gates: [{ metric: 'run_error', max: 0.1 }] }, 'gates must hold at least one gate with "maxRatio"'],
])('refuses %j and says where and what to do', (change, message) => {
  expect(() => readPlan(shortPlan(change))).toThrow(message)
})

it('refuses what is no object', () => {
  expect(() => readPlan([])).toThrow('the plan must be an object')
})
