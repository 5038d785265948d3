import type { AgentEvent, RunDecision } from '@millrace/core'
import type { Labeller } from './labeller.ts'
import type { Observe } from './observation.ts'
import { createRunTally, type RunTally } from './run-tally.ts'

/** Who tells of a run: the loop around it, by `onEvent`, or the agent itself, to its middleware. */
export type Teller = 'agent' | 'loop'

export interface FollowerOptions {
  readonly maxRuns: number
  readonly observe: Observe
  readonly label: Labeller
}

export interface NewRun {
  readonly runId: string
  readonly sessionId: string | undefined
  readonly decision: RunDecision
  readonly model: string
  readonly startedAt: number
  readonly resumed: boolean
}

/**
 * The runs under way. A run that goes through `adaptLoop` is told of twice, under one id: who is first tells of all of
 * it. That is the loop, which also sees what the agent does not: hand-overs, and the runs of the control group.
 */
export interface Follower {
  /** Follows a run from its start; undefined where somebody else tells of it already. */
  start(teller: Teller, run: NewRun): RunTally | undefined
  /** Takes an event of a run that this teller has started. */
  take(teller: Teller, event: AgentEvent): void
  find(runId: string): RunTally | undefined
}

export function createFollower({ maxRuns, observe, label }: FollowerOptions): Follower {
  const followed = new Map<string, { readonly teller: Teller; readonly tally: RunTally }>()

  function makeRoom(): void {
    const [oldest] = followed
    if (followed.size < maxRuns || oldest === undefined) return
    const [runId, { tally }] = oldest
    followed.delete(runId)
    observe({ type: 'run.lost', run: tally.run })
  }

  return {
    start(teller, { model, ...run }) {
      if (followed.has(run.runId)) return undefined
      makeRoom()
      const tally = createRunTally({ ...run, model: label.model(model), observe, label })
      followed.set(run.runId, { teller, tally })
      observe({ type: 'run.started', run: tally.run })
      if (run.resumed) observe({ type: 'run.resumed', run: tally.run })
      return tally
    },
    take(teller, event) {
      const entry = followed.get(event.runId)
      if (entry?.teller !== teller) return
      // Before the tally: if what it tells fails, the run is still let go.
      if (event.type === 'run.finished') followed.delete(event.runId)
      entry.tally.take(event)
    },
    find: (runId) => followed.get(runId)?.tally,
  }
}
