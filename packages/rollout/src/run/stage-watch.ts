import type { Clock, StateStore } from '@millrace/core'
import { wait } from '@millrace/core/kit'
import type { RolloutState } from '../control/state.ts'
import type { RolloutPlan, RolloutStage } from '../plan/plan.ts'
import { stateKey } from '../record/counters.ts'
import { readState } from './read-state.ts'

/** The stage that runs are counted for now. */
export interface CurrentStage {
  readonly epoch: number
  readonly stage: RolloutStage
  /** When this instance saw it, by its own clock: the flags of this instance change at about the same time. */
  readonly seenAt: number
}

export interface StageWatch {
  readonly current: () => CurrentStage | undefined
  /** Resolves once the state was read for the first time. */
  readonly ready: Promise<void>
  readonly close: () => void
}

export interface StageWatchOptions {
  readonly store: StateStore
  readonly plan: RolloutPlan
  readonly clock: Clock
  /** Milliseconds between two tries to follow the store. */
  readonly retry: number
  readonly failed: (cause: unknown) => void
}

/** Follows the stage of a rollout in the store. */
export function watchStage({ store, plan, clock, retry, failed }: StageWatchOptions): StageWatch {
  const closing = new AbortController()
  const { signal } = closing
  let becomeReady = (): void => {}
  const ready = new Promise<void>((resolve) => {
    becomeReady = resolve
  })
  let current: CurrentStage | undefined

  function take(value: unknown): void {
    const state = value === undefined || value === null ? undefined : readState(plan, value)
    const stage = state === undefined || !isCounted(state) ? undefined : plan.stages[state.stage]
    if (state === undefined || stage === undefined) current = undefined
    else if (current?.epoch !== state.epoch) current = { epoch: state.epoch, stage, seenAt: clock.now() }
    becomeReady()
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const entry of store.watch(stateKey(plan.name), signal)) take(entry?.value)
      } catch (cause) {
        failed(cause)
      }
      await wait(clock, retry, signal)
    }
    becomeReady()
  }

  void follow()
  return { current: () => current, ready, close: () => closing.abort() }
}

function isCounted({ status }: RolloutState): boolean {
  return status === 'running' || status === 'held' || status === 'done'
}
