import type { RolloutPlan, RolloutStage } from '../plan/plan.ts'

/**
 * `running`: the evidence decides; `held`: a person decides, but harm still rolls back; `rolled_back`: nobody streams until a
 * person resumes; `done`: the last stage was promoted, and its percentage stays.
 */
export type RolloutStatus = 'done' | 'draft' | 'held' | 'rolled_back' | 'running'

/** Why a running stage is not promoted. */
export type Waiting = 'data' | 'dwell' | 'evidence' | 'manual' | 'sample_ratio' | 'suspicion'

export type LogAction = 'done' | 'held' | 'promoted' | 'resumed' | 'rolled_back' | 'started' | 'waits'

/** One line of the audit log. */
export interface LogEntry {
  /** Milliseconds since the epoch, by the clock of the instance that decided. */
  readonly at: number
  /** 1, 2, 3 … */
  readonly number: number
  /** `rollout`, or the person. */
  readonly actor: string
  readonly action: LogAction
  readonly from: string
  readonly to: string
  readonly percent: number
  /** One sentence that says why. */
  readonly reason: string
}

/** All that is known of a rollout besides its counts. Plain JSON; one value under one key, so it is never half-written. */
export interface RolloutState {
  readonly version: 1
  readonly status: RolloutStatus
  /** Index into the plan's stages. */
  readonly stage: number
  /** Grows with each change of the stage or the percentage. Names the counts of the stage, and fences late writes. */
  readonly epoch: number
  readonly salt: string
  /** When the stage began, in milliseconds since the epoch. */
  readonly since: number
  /** Milliseconds of the stage in which a controller looked. Time that nobody watched does not count. */
  readonly watched: number
  /** When a controller last looked. */
  readonly lookedAt: number
  /** When the counts last changed, and their sum then. */
  readonly data: { readonly at: number; readonly total: number }
  readonly waiting: Waiting | undefined
  /** The last entries, at most {@link maxLogEntries}. */
  readonly log: readonly LogEntry[]
}

/** An audit sink keeps the whole log. The state keeps its end, so that it cannot outgrow a store's limit. */
const maxLogEntries = 100

export function draftState(plan: RolloutPlan, now: number): RolloutState {
  return {
    version: 1,
    status: 'draft',
    stage: 0,
    epoch: 0,
    salt: plan.salt,
    since: now,
    watched: 0,
    lookedAt: now,
    data: { at: now, total: 0 },
    waiting: undefined,
    log: [],
  }
}

/** The stage that a state is in. */
export function stageOf(plan: RolloutPlan, { stage }: Pick<RolloutState, 'stage'>): RolloutStage {
  const found = plan.stages[stage]
  if (found === undefined) throw new RangeError(`the plan has no stage ${stage}`)
  return found
}

/** Who streams in a state. */
export interface Exposure {
  readonly percent: number
  readonly segments: readonly string[]
}

const nobody: Exposure = { percent: 0, segments: [] }

/** Returns who is to stream. Depends on the state alone, so it can be written again at any time. */
export function exposureOf(plan: RolloutPlan, state: RolloutState): Exposure {
  switch (state.status) {
    case 'draft':
    case 'rolled_back':
      return nobody
    case 'done':
    case 'held':
    case 'running': {
      const { percent, segments } = stageOf(plan, state)
      return { percent, segments }
    }
  }
}

export interface NewEntry extends Pick<LogEntry, 'action' | 'actor' | 'reason'> {
  readonly at: number
}

/** Returns `next` with an entry that says how it came about. */
export function withEntry(plan: RolloutPlan, before: RolloutState, next: RolloutState, entry: NewEntry): RolloutState {
  const name = (state: RolloutState): string =>
    state.status === 'running' || state.status === 'held' ? stageOf(plan, state).name : state.status
  const number = (before.log.at(-1)?.number ?? 0) + 1
  const { percent } = exposureOf(plan, next)
  const line: LogEntry = { ...entry, number, from: name(before), to: name(next), percent }
  return { ...next, log: [...before.log, line].slice(-maxLogEntries) }
}

/** Returns `state` at the beginning of a stage: a new epoch, so that its evidence starts from zero. */
export function enterStage(state: RolloutState, stage: number, now: number): RolloutState {
  return {
    ...state,
    status: 'running',
    stage,
    epoch: state.epoch + 1,
    since: now,
    watched: 0,
    lookedAt: now,
    data: { at: now, total: 0 },
    waiting: undefined,
  }
}
