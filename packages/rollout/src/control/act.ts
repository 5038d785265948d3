import { MillraceError } from '@millrace/core'
import type { RolloutPlan } from '../plan/plan.ts'
import { enterStage, type RolloutState, withEntry } from './state.ts'

/** What a person may do. `start` begins a draft; `resume` ends a hold, or starts again after a rollback. */
export type RolloutAction =
  | { readonly type: 'hold' | 'promote' | 'rollback' | 'start' }
  | {
      readonly type: 'resume'
      /** The stage to start again in. Default: the one that was left. */
      readonly stage?: string
      /** Draws the units again. Default: they stay as they are. */
      readonly salt?: string
    }

export interface Actor {
  readonly actor: string
  /** One sentence. */
  readonly reason: string
}

/**
 * Returns the state after a person's action.
 *
 * @throws MillraceError `conflict` if the action does not apply to the state, `invalid_input` for a stage that does not exist
 */
export function act(
  plan: RolloutPlan,
  state: RolloutState,
  action: RolloutAction,
  { actor, reason }: Actor,
  now: number,
): RolloutState {
  const { status } = state
  const isOpen = status === 'running' || status === 'held'
  switch (action.type) {
    case 'start':
      if (status !== 'draft') throw refused('start', status, 'only a draft can be started')
      return withEntry(plan, state, enterStage(state, 0, now), { at: now, actor, action: 'started', reason })
    case 'hold':
      if (status !== 'running') throw refused('hold', status, 'only a running stage can be held')
      return withEntry(plan, state, { ...state, status: 'held' }, { at: now, actor, action: 'held', reason })
    case 'promote': {
      if (!isOpen) throw refused('promote', status, 'only a stage that is running or held can be promoted')
      if (state.stage < plan.stages.length - 1) {
        const next = enterStage(state, state.stage + 1, now)
        return withEntry(plan, state, next, { at: now, actor, action: 'promoted', reason })
      }
      const next: RolloutState = { ...state, status: 'done', waiting: undefined }
      return withEntry(plan, state, next, { at: now, actor, action: 'done', reason })
    }
    case 'rollback': {
      if (status === 'rolled_back') throw refused('roll back', status, 'nobody streams')
      const next: RolloutState = { ...enterStage(state, state.stage, now), status: 'rolled_back' }
      return withEntry(plan, state, next, { at: now, actor, action: 'rolled_back', reason })
    }
    case 'resume': {
      if (status !== 'held' && status !== 'rolled_back') {
        throw refused('resume', status, 'only a rollout that is held or rolled back can be resumed')
      }
      const stage = action.stage === undefined ? state.stage : findStage(plan, action.stage)
      const isSame = status === 'held' && stage === state.stage && action.salt === undefined
      // A hold that ends keeps its evidence. Restarting the test would be one more chance of a false alarm.
      const resumed: RolloutState = isSame ? { ...state, status: 'running', watched: 0 } : enterStage(state, stage, now)
      const next = action.salt === undefined ? resumed : { ...resumed, salt: action.salt }
      return withEntry(plan, state, next, { at: now, actor, action: 'resumed', reason })
    }
  }
}

function findStage(plan: RolloutPlan, name: string): number {
  const index = plan.stages.findIndex((stage) => stage.name === name)
  if (index >= 0) return index
  const known = plan.stages.map((stage) => `"${stage.name}"`).join(', ')
  throw new MillraceError('invalid_input', `unknown stage "${name}"; expected one of ${known}`, { path: 'stage' })
}

function refused(verb: string, status: string, why: string): MillraceError {
  return new MillraceError('conflict', `cannot ${verb} a rollout that is ${status.replace('_', ' ')}: ${why}`)
}
