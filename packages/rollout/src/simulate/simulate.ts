import { act } from '../control/act.ts'
import { decide } from '../control/decide.ts'
import type { StageEvidence } from '../control/evidence.ts'
import { draftState, type RolloutState, stageOf } from '../control/state.ts'
import type { Metric } from '../plan/metrics.ts'
import type { RolloutPlan } from '../plan/plan.ts'
import { seededRandom } from './random.ts'
import { createTally, type Tally } from './tally.ts'
import type { Rates, SimulatedRollout, World } from './world.ts'

/** A look at the evidence, so that tests can put a wrong method in its place and see it fail. */
export type LookAt = (plan: RolloutPlan, state: RolloutState, evidence: StageEvidence, now: number) => RolloutState

export interface SimulationParts {
  readonly look?: LookAt
  /** What a failure is counted for. Default: the plan's unit. */
  readonly countBy?: 'run' | 'unit'
}

const day = 86_400_000
/** Milliseconds between two looks. */
const interval = 300_000

/** Runs the real controller over simulated runs. The same plan and world give the same result. */
export function simulate(plan: RolloutPlan, world: World, parts: SimulationParts = {}): SimulatedRollout {
  const { look = (...args) => decide(...args).next, countBy = 'unit' } = parts
  const simulation = createSimulation(plan, world, countBy)
  let state = act(plan, draftState(plan, 0), { type: 'start' }, { actor: 'simulation', reason: 'begins' }, 0)
  const path = [entryOf(plan, state, 0)]
  simulation.enter(state)
  const end = (world.days ?? 60) * day
  let now = 0
  while (now < end && state.status === 'running') {
    now += interval
    const next = look(plan, state, simulation.advance(state, now), now)
    if (next.epoch !== state.epoch && next.status === 'running') {
      simulation.enter(next)
      path.push(entryOf(plan, next, now))
    }
    state = next
  }
  return {
    end: state.status === 'draft' ? 'running' : state.status,
    stage: stageOf(plan, state).name,
    days: now / day,
    ...simulation.counts(),
    path,
    reason: state.log.at(-1)?.reason ?? '',
  }
}

function entryOf(plan: RolloutPlan, state: RolloutState, now: number): SimulatedRollout['path'][number] {
  const { name, percent } = stageOf(plan, state)
  return { day: now / day, stage: name, percent }
}

interface Simulation {
  enter(state: RolloutState): void
  advance(state: RolloutState, now: number): StageEvidence
  counts(): Pick<SimulatedRollout, 'streamingRuns' | 'streamingRunsAfterChange'>
}

function createSimulation(plan: RolloutPlan, world: World, countBy: 'run' | 'unit'): Simulation {
  const { runsPerDay, users = 10_000, internalRunsPerDay = runsPerDay / 100, cluster } = world
  const random = seededRandom(world.seed)
  const buckets = Float64Array.from({ length: users }, random)
  const isFragile = Array.from({ length: users }, () => cluster !== undefined && random() < cluster.share)
  const used = plan.gates.map(({ metric }) => metric)
  let tally: Tally = createTally(used)
  let runs = 0
  let due = 0
  let streamingRuns = 0
  let streamingRunsAfterChange = 0
  let ratesNow: ReturnType<typeof ratesAt> = { rates: world.rates, changed: false }
  const enteredAt = new Map<string, number>()

  function drawUnit(isInternal: boolean): {
    readonly unit: number
    readonly bucket: number
    readonly fragile: boolean
  } {
    runs++
    // Numbers of runs stay clear of those of users.
    if (plan.unit === 'run' || isInternal) return { unit: users + runs, bucket: random(), fragile: false }
    const user = Math.floor(random() * users)
    const unit = countBy === 'run' ? users + runs : user
    return { unit, bucket: buckets[user] ?? 0, fragile: isFragile[user] === true }
  }

  function addRun(percent: number, period: number): void {
    const isInternal = percent === 0
    const { unit, bucket, fragile } = drawUnit(isInternal)
    const isStreaming = isInternal || bucket * 100 < percent
    if (isStreaming && !isInternal) streamingRuns++
    if (isStreaming && !isInternal && ratesNow.changed) streamingRunsAfterChange++
    tally.add(unit, isStreaming, period, (metric) => {
      const { streaming, control = 0 }: Rates = ratesNow.rates[metric] ?? { streaming: 0 }
      const usual = isStreaming ? streaming : control
      const rate = fragile && cluster !== undefined && metric === 'run_error' ? Math.max(cluster.rate, usual) : usual
      return random() < rate
    })
  }

  return {
    enter(state) {
      tally = createTally(used)
      const { name } = stageOf(plan, state)
      if (!enteredAt.has(name)) enteredAt.set(name, state.since)
    },
    advance(state, now) {
      const { percent } = stageOf(plan, state)
      ratesNow = ratesAt(world, now, enteredAt)
      due += ((percent === 0 ? internalRunsPerDay : runsPerDay) * interval) / day
      for (; due >= 1; due--) addRun(percent, Math.floor(now / plan.period))
      return tally.evidence()
    },
    counts: () => ({ streamingRuns, streamingRunsAfterChange }),
  }
}

function ratesAt(
  { rates, changes = [] }: World,
  now: number,
  enteredAt: ReadonlyMap<string, number>,
): { readonly rates: Readonly<Partial<Record<Metric, Rates>>>; readonly changed: boolean } {
  const active = changes.filter((change) => {
    const begin = change.stage === undefined ? 0 : (enteredAt.get(change.stage) ?? Infinity)
    const from = begin + (change.day ?? 0) * day
    return now > from && now <= from + (change.days ?? Infinity) * day
  })
  return { rates: Object.assign({}, rates, ...active.map((change) => change.rates)), changed: active.length > 0 }
}
