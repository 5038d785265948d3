import type { AgentEvent } from '@millrace/core'
import type { Labeller } from './labeller.ts'
import type { Observe } from './observation.ts'
import { createRunTally, type NewRun, type RunTally } from './run-tally.ts'

export interface OpenRunsOptions {
  /** How many runs are followed at once. Beyond that, the oldest is dropped and reported as `run.lost`. */
  readonly maxRuns: number
  readonly observe: Observe
  readonly label: Labeller
}

/** The runs that have started and not yet ended. */
export interface OpenRuns {
  /** Follows a run from now on. Does nothing if it is followed already. */
  open(run: NewRun): void
  /** Counts an event of a followed run. Events are numbered, so one that is passed on twice counts once. */
  take(event: AgentEvent): void
  find(runId: string): RunTally | undefined
}

export function createOpenRuns({ maxRuns, observe, label }: OpenRunsOptions): OpenRuns {
  const tallies = new Map<string, RunTally>()

  function makeRoom(): void {
    const [oldest] = tallies
    if (tallies.size < maxRuns || oldest === undefined) return
    const [runId, tally] = oldest
    tallies.delete(runId)
    observe({ type: 'run.lost', run: tally.run })
  }

  return {
    open({ model, ...run }) {
      if (tallies.has(run.runId)) return
      makeRoom()
      const tally = createRunTally({ ...run, model: label.model(model), observe, label })
      tallies.set(run.runId, tally)
      observe({ type: 'run.started', run: tally.run })
      if (run.resumed) observe({ type: 'run.resumed', run: tally.run })
    },
    take(event) {
      const tally = tallies.get(event.runId)
      if (tally === undefined) return
      // Before the tally: if an observer throws, the run is still removed.
      if (event.type === 'run.finished' || event.type === 'run.moving') tallies.delete(event.runId)
      tally.take(event)
    },
    find: (runId) => tallies.get(runId),
  }
}
