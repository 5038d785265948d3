import { describe, expect, it } from 'vitest'
import { act } from '../src/control/act.ts'
import { decide } from '../src/control/decide.ts'
import type { GroupEvidence, StageEvidence } from '../src/control/evidence.ts'
import { judge } from '../src/control/judge.ts'
import { draftState, exposureOf, type RolloutState, stageOf } from '../src/control/state.ts'
import { readPlan } from '../src/plan/read-plan.ts'
import { short as plan, shortPlan } from './plans.ts'

const hour = 3_600_000
const by = { actor: 'ada', reason: 'ready' }
const started = act(plan, draftState(plan, 0), { type: 'start' }, by, 0)

function group(units: number, counts: Partial<GroupEvidence> = {}): GroupEvidence {
  return { units, observed: units, bad: {}, any: {}, ...counts }
}

const good: StageEvidence = { streaming: group(300), control: group(5700) }
const harm: StageEvidence = {
  streaming: group(300, { any: { run_error: 30 } }),
  control: group(5700, { any: { run_error: 100 } }),
}

/** Looks every five minutes, so that watched time passes. */
function watch(state: RolloutState, evidence: (step: number) => StageEvidence, hours: number): RolloutState {
  let next = state
  const from = state.lookedAt
  for (let step = 1; step <= hours * 12; step++) next = decide(plan, next, evidence(step), from + step * 300_000).next
  return next
}

/** The same evidence with one more good unit at each look: data that is fresh. */
const growing =
  (evidence: StageEvidence) =>
  (step: number): StageEvidence => ({
    ...evidence,
    control: { ...evidence.control, units: evidence.control.units + step },
  })

describe('promotion', () => {
  it('waits for the watched time, then promotes, enters a new epoch and says why', () => {
    const before = watch(started, growing(good), 11)
    expect(before).toMatchObject({ status: 'running', stage: 0, waiting: 'dwell' })
    const after = watch(before, growing(good), 1)
    expect(after).toMatchObject({ status: 'running', stage: 1, epoch: 2 })
    expect(after.log.at(-1)).toMatchObject({ action: 'promoted', from: 'beta', to: 'quarter', percent: 25 })
    expect(after.log.at(-1)?.reason).toBe(
      '"beta" passed: observations of users that stream: streams that did not complete 0 of 300, below 5 %; no gate shows harm',
    )
  })

  it('waits as long as an absolute limit is not shown to hold', () => {
    const few: StageEvidence = { streaming: group(20), control: group(400) }
    expect(watch(started, growing(few), 24)).toMatchObject({ stage: 0, waiting: 'evidence' })
  })

  it('waits for fresh data, and says so once', () => {
    const state = watch(started, () => good, 24)
    expect(state).toMatchObject({ stage: 0, waiting: 'data', status: 'running' })
    expect(state.log.filter(({ action }) => action === 'waits')).toHaveLength(1)
    expect(state.log.at(-1)?.reason).toBe('"beta" waits: no new data for more than 15m')
  })

  it('waits while a gate looks suspicious', () => {
    const suspicious: StageEvidence = {
      streaming: group(300, { any: { run_error: 14 } }),
      control: group(5700, { any: { run_error: 100 } }),
    }
    expect(watch(started, growing(suspicious), 24)).toMatchObject({ stage: 0, waiting: 'suspicion' })
  })

  it('waits while the groups do not have the sizes they were drawn with', () => {
    const state = watch(started, growing({ streaming: group(300), control: group(2000) }), 24)
    expect(state).toMatchObject({ stage: 0, waiting: 'sample_ratio' })
    expect(state.log.at(-1)?.reason).toMatch(
      /^"beta" waits: the groups are not drawn 5 to 95, with 300 streaming and 20/,
    )
  })

  it('waits for a person in a stage that is promoted by hand', () => {
    const manual = readPlan(
      shortPlan({ stages: [{ name: 'beta', percent: 5, minDwell: '1h', maxDwell: '2h', promote: 'manual' }] }),
    )
    let state = act(manual, draftState(manual, 0), { type: 'start' }, by, 0)
    for (let step = 1; step < 50; step++) state = decide(manual, state, growing(good)(step), step * 300_000).next
    expect(state).toMatchObject({ status: 'running', waiting: 'manual' })
    expect(act(manual, state, { type: 'promote' }, by, 1)).toMatchObject({ status: 'done' })
  })

  it('is done after the last stage, and keeps its percentage', () => {
    const last = { ...started, stage: 2 }
    const half: StageEvidence = { streaming: group(300), control: group(300) }
    const both = (step: number): StageEvidence => ({ streaming: group(300 + step), control: group(300 + step) })
    expect(judge(plan, stageOf(plan, last), half).hasPassed).toBe(true)
    const done = watch(last, both, 13)
    expect(done.status).toBe('done')
    expect(exposureOf(plan, done).percent).toBe(50)
  })
})

describe('rollback', () => {
  it('happens at once, to nobody, with one sentence that says why', () => {
    const { next, isDecision } = decide(plan, started, harm, 1000)
    expect(isDecision).toBe(true)
    expect(next.status).toBe('rolled_back')
    expect(exposureOf(plan, next)).toEqual({ percent: 0, segments: [] })
    expect(next.log.at(-1)?.reason).toMatch(
      /^rolled back "beta" \(5 %\): failed runs in 30 of 300 users that stream and 100 of 5700 of the control group, limit: no more often; evidence \S+ to 1, needed 120 to 1$/,
    )
  })

  it('happens on an absolute limit', () => {
    const broken = { ...good, streaming: group(300, { bad: { incomplete_stream: 60 } }) }
    const { next } = decide(plan, started, broken, 1000)
    expect(next.status).toBe('rolled_back')
    expect(next.log.at(-1)?.reason).toMatch(
      /streams that did not complete in 60 of 300 observations of users that stream, limit 5 %/,
    )
  })

  it('happens while a person holds the stage, and with stale data', () => {
    const held = act(plan, started, { type: 'hold' }, by, 1)
    expect(decide(plan, held, harm, 100 * hour).next.status).toBe('rolled_back')
  })

  it('needs groups that can be compared', () => {
    const lost = { ...harm, control: group(600, { any: { run_error: 10 } }) }
    expect(decide(plan, started, lost, 1000).next).toMatchObject({ status: 'running', waiting: 'sample_ratio' })
  })

  it('latches until a person resumes, and then counts from zero', () => {
    const back = decide(plan, started, harm, 1000).next
    expect(decide(plan, back, good, 2000).next.status).toBe('rolled_back')
    const resumed = act(plan, back, { type: 'resume', salt: 'second' }, by, 3000)
    expect(resumed).toMatchObject({ status: 'running', stage: 0, salt: 'second', watched: 0 })
    expect(resumed.epoch).toBeGreaterThan(back.epoch)
  })
})

describe('hold', () => {
  it('comes by itself where a stage stays inconclusive', () => {
    const few: StageEvidence = { streaming: group(20), control: group(380) }
    const both = (step: number): StageEvidence => ({
      ...few,
      control: group(380 + (step % 2)),
    })
    const state = watch(started, both, 5 * 24)
    expect(state.status).toBe('held')
    expect(state.log.at(-1)?.reason).toBe('inconclusive after 5d: "beta" waits: not every limit is shown to hold yet')
    expect(exposureOf(plan, state).percent).toBe(5)
  })

  it('keeps its evidence when a person resumes', () => {
    const held = act(plan, started, { type: 'hold' }, by, 1)
    expect(act(plan, held, { type: 'resume' }, by, 2)).toMatchObject({ status: 'running', epoch: held.epoch })
  })
})

describe('a clock that jumps', () => {
  it('does not shorten a stage when it is set forward', () => {
    const { next } = decide(plan, started, good, 1000 * hour)
    expect(next).toMatchObject({ stage: 0, watched: 300_000, waiting: 'dwell' })
  })

  it('does not fail, or lengthen a stage, when it is set back', () => {
    const { next } = decide(plan, { ...started, lookedAt: 5 * hour, watched: 5 * hour }, good, hour)
    expect(next).toMatchObject({ stage: 0, watched: 5 * hour, lookedAt: hour })
    expect(watch(next, growing(good), 8)).toMatchObject({ stage: 1 })
  })
})

describe('what a person may do', () => {
  it.each([
    ['start', started, 'cannot start a rollout that is running: only a draft can be started'],
    ['hold', draftState(plan, 0), 'cannot hold a rollout that is draft: only a running stage can be held'],
    ['promote', draftState(plan, 0), 'cannot promote a rollout that is draft'],
    ['resume', started, 'cannot resume a rollout that is running'],
  ] as const)('refuses to %s where that makes no sense', (type, state, message) => {
    expect(() => act(plan, state, { type }, by, 1)).toThrow(message)
  })

  it('refuses a stage that does not exist', () => {
    const held = act(plan, started, { type: 'hold' }, by, 1)
    expect(() => act(plan, held, { type: 'resume', stage: 'alpha' }, by, 1)).toThrow(
      'unknown stage "alpha"; expected one of "beta", "quarter", "half"',
    )
  })

  it('keeps the end of a long log', () => {
    let state = started
    for (let step = 0; step < 120; step++) {
      state = act(plan, state, { type: step % 2 === 0 ? 'hold' : 'resume' }, by, step)
    }
    expect(state.log).toHaveLength(100)
    expect(state.log.at(-1)?.number).toBe(121)
  })
})
