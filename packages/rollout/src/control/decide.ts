import { formatDuration } from '../plan/duration.ts'
import type { RolloutPlan, RolloutStage } from '../plan/plan.ts'
import type { StageEvidence } from './evidence.ts'
import { type Judgement, judge } from './judge.ts'
import { harmSentence, passSentence, ratioSentence, suspicionSentence } from './sentences.ts'
import { enterStage, type RolloutState, stageOf, type Waiting, withEntry } from './state.ts'

/** A longer gap between two looks counts as this much, in milliseconds: nobody watched in between, or a clock jumped. */
const longestGap = 300_000

export interface Look {
  /** The state after this look. It always differs from the one before, by the time of the look. */
  readonly next: RolloutState
  readonly judgement: Judgement
  /** Whether there is a new entry in the log. */
  readonly isDecision: boolean
}

/**
 * Looks at the evidence once and decides. A pure function: the same state, evidence and time give the same decision, in
 * whichever process.
 *
 * The order is what makes it safe. Harm rolls back at once, even with stale data or while a person holds the stage.
 * Promotion needs everything: enough watched time, fresh data, a correct ratio, each absolute limit shown to hold, and
 * no suspicion. What is inconclusive waits, and is held for a person after `maxDwell`.
 */
export function decide(plan: RolloutPlan, state: RolloutState, evidence: StageEvidence, now: number): Look {
  const stage = stageOf(plan, state)
  const judgement = judge(plan, stage, evidence)
  const looked = withLook(state, evidence, now)
  if (state.status !== 'running' && state.status !== 'held') return { next: looked, judgement, isDecision: false }
  const decided = (
    next: RolloutState,
    action: 'done' | 'held' | 'promoted' | 'rolled_back' | 'waits',
    reason: string,
  ) => ({
    next: withEntry(plan, looked, next, { at: now, actor: 'rollout', action, reason }),
    judgement,
    isDecision: true,
  })
  const { harmful } = judgement
  if (harmful !== undefined) {
    const next: RolloutState = { ...enterStage(looked, looked.stage, now), status: 'rolled_back' }
    return decided(next, 'rolled_back', harmSentence(harmful, stage, plan.unit))
  }
  if (state.status === 'held') return { next: looked, judgement, isDecision: false }
  const waiting = whyWait(plan, stage, looked, judgement, now)
  if (waiting === undefined) {
    const reason = passSentence(judgement, stage, plan.unit)
    const isLast = state.stage === plan.stages.length - 1
    if (isLast) return decided({ ...looked, status: 'done', waiting: undefined }, 'done', reason)
    return decided(enterStage(looked, state.stage + 1, now), 'promoted', reason)
  }
  const next = { ...looked, waiting }
  if (looked.watched >= stage.maxDwell && waiting !== 'manual') {
    const reason = `inconclusive after ${formatDuration(stage.maxDwell)}: ${waitSentence(waiting, plan, stage, judgement)}`
    return decided({ ...next, status: 'held' }, 'held', reason)
  }
  // Time that passes and evidence that grows are no news. The rest is something that a person should look at.
  const isNews = waiting !== state.waiting && waiting !== 'dwell' && waiting !== 'evidence'
  if (isNews) return decided(next, 'waits', waitSentence(waiting, plan, stage, judgement))
  return { next, judgement, isDecision: false }
}

function withLook(state: RolloutState, evidence: StageEvidence, now: number): RolloutState {
  const gap = Math.min(Math.max(now - state.lookedAt, 0), longestGap)
  const total = sizeOf(evidence)
  // A clock that was set back must not leave data that looks as if it came from the future.
  const at = total === state.data.total ? Math.min(state.data.at, now) : now
  return { ...state, watched: state.watched + gap, lookedAt: now, data: { at, total } }
}

function sizeOf({ streaming, control }: StageEvidence): number {
  const counted = [streaming, control].flatMap(({ units, any }) => [units, ...Object.values(any)])
  return counted.reduce((sum, count) => sum + count, 0)
}

function whyWait(
  plan: RolloutPlan,
  stage: RolloutStage,
  { watched, data }: RolloutState,
  { isRatioOff, suspicious, hasPassed }: Judgement,
  now: number,
): Waiting | undefined {
  if (now - data.at > plan.maxDataAge) return 'data'
  if (isRatioOff) return 'sample_ratio'
  if (suspicious !== undefined) return 'suspicion'
  if (watched < stage.minDwell) return 'dwell'
  if (!hasPassed) return 'evidence'
  return stage.promote === 'manual' ? 'manual' : undefined
}

/** Says in one sentence what a stage waits for. */
function waitSentence(waiting: Waiting, plan: RolloutPlan, stage: RolloutStage, judgement: Judgement): string {
  switch (waiting) {
    case 'data':
      return `"${stage.name}" waits: no new data for more than ${formatDuration(plan.maxDataAge)}`
    case 'dwell':
      return `"${stage.name}" waits: it must be watched for ${formatDuration(stage.minDwell)}`
    case 'evidence':
      return `"${stage.name}" waits: not every limit is shown to hold yet`
    case 'manual':
      return `"${stage.name}" waits: all gates are passed, and a person promotes this stage`
    case 'sample_ratio':
      return ratioSentence(judgement, stage)
    case 'suspicion':
      return suspicionSentence(judgement, stage, plan.unit)
  }
}
