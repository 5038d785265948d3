import { MillraceError } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import type { RolloutPlan } from '../plan/plan.ts'
import type { LogEntry, RolloutState } from '../control/state.ts'

/**
 * Reads a stored state.
 *
 * @throws MillraceError `invalid_input` if it is not a state, or belongs to a plan with other stages
 */
export function readState(plan: RolloutPlan, value: unknown): RolloutState {
  if (!isState(value))
    throw new MillraceError('invalid_input', `the stored state of the rollout "${plan.name}" is unreadable`)
  if (plan.stages[value.stage] !== undefined) return value
  throw new MillraceError(
    'invalid_input',
    `the rollout "${plan.name}" is in stage ${value.stage + 1}, and the plan has only ${plan.stages.length}; give a changed plan another name`,
  )
}

const statuses: readonly unknown[] = ['draft', 'running', 'held', 'rolled_back', 'done']

function isState(value: unknown): value is RolloutState {
  if (!isRecord(value) || value['version'] !== 1 || !statuses.includes(value['status'])) return false
  const { data, log, salt } = value
  const numbers = ['stage', 'epoch', 'since', 'watched', 'lookedAt'].map((name) => value[name])
  return (
    numbers.every((number) => typeof number === 'number') &&
    typeof salt === 'string' &&
    isRecord(data) &&
    typeof data['at'] === 'number' &&
    typeof data['total'] === 'number' &&
    Array.isArray(log) &&
    log.every(isEntry)
  )
}

function isEntry(value: unknown): value is LogEntry {
  return isRecord(value) && typeof value['at'] === 'number' && typeof value['reason'] === 'string'
}
