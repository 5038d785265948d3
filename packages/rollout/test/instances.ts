import type { AgentEvent, RunDecision, StateStore } from '@millrace/core'
import { memoryStateStore } from '@millrace/core/memory'
import { type ManualClock, macrotask, manualClock } from '@millrace/testing/async'
import {
  createRecorder,
  createRollout,
  type RecorderOptions,
  type Rollout,
  type RolloutOptions,
  type RolloutRecorder,
  stateTarget,
} from '../src/index.ts'
import { short } from './plans.ts'
import type { RolloutPlan } from '../src/index.ts'

export const plan: RolloutPlan = short

/** One process of an application: it counts its runs, and looks at the rollout. */
export interface Instance {
  readonly recorder: RolloutRecorder
  readonly rollout: Rollout
  readonly warnings: string[]
}

export interface World {
  readonly store: StateStore
  readonly clock: ManualClock
  readonly instance: (
    options?: Partial<RolloutOptions>,
    counting?: Pick<RecorderOptions, 'isDrawn' | 'limit' | 'onWarning'>,
  ) => Instance
}

export function createWorld(store: StateStore = memoryStateStore()): World {
  const clock = manualClock()
  return {
    store,
    clock,
    instance(options = {}, counting = {}) {
      const warnings: string[] = []
      const onWarning = ({ message }: Error): void => void warnings.push(message)
      const own = { store: options.store ?? store, plan, clock, onWarning }
      return {
        recorder: createRecorder({ ...own, ...counting }),
        rollout: createRollout({ target: stateTarget({ store, clock }), ...own, ...options }),
        warnings,
      }
    },
  }
}

export interface ToldRun {
  readonly runId: string
  /** Default: the run's id. Null: the decision has no unit. */
  readonly unit?: string | null
  readonly arm?: RunDecision['arm']
  readonly decision?: Partial<RunDecision>
  readonly outcome?: 'completed' | 'failed' | 'interrupted'
  /** Whether the run moves to another instance before it ends. */
  readonly moves?: boolean
  readonly at: number
}

/** Tells a recorder of a whole run. */
export function tell(recorder: Pick<RolloutRecorder, 'onEvent'>, run: ToldRun): void {
  const { runId, unit = runId, arm = 'streaming', decision, outcome = 'completed', moves = false, at } = run
  const head = { runId, at } as const
  const decided: RunDecision = {
    mode: arm === 'streaming' ? 'stream' : 'legacy',
    arm,
    reason: 'flag',
    flagReason: 'SPLIT',
    ...(unit !== null && { unit }),
    tools: {},
    ...decision,
  }
  const events: readonly AgentEvent[] = [
    { ...head, seq: 1, type: 'run.started', decision: decided },
    { ...head, seq: 2, type: 'turn.started', turn: 1, attempt: 1, mode: decided.mode },
    {
      ...head,
      seq: 3,
      type: 'run.finished',
      outcome,
      stopReason: 'end_turn',
      usage: { input_tokens: 1, output_tokens: 1 },
    },
  ]
  const moving: AgentEvent = { ...head, seq: 3, type: 'run.moving', retryMs: 0 }
  for (const event of moves ? [...events.slice(0, 2), moving] : events) recorder.onEvent(event)
}

/** Starts a rollout, and lets every instance see its first stage and wait until it has settled. */
export async function begin({ clock }: World, [first, ...others]: readonly Instance[]): Promise<void> {
  if (first === undefined) throw new TypeError('there is no instance')
  await first.rollout.act({ type: 'start' }, { actor: 'ada', reason: 'ready' })
  await Promise.all([first, ...others].map(({ recorder }) => recorder.ready()))
  await macrotask()
  clock.advance(plan.settle)
}
