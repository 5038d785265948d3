import type { AgentRun, Clock, RunResult } from '@millrace/core'

/** A run that this handler started and that has not ended. */
export interface LiveRun {
  readonly run: AgentRun
  readonly owner: string | undefined
  /** Resolves when the run has ended and its session holds what it added. Never rejects. */
  readonly settled: Promise<RunResult>
}

export interface DrainReport {
  /** Runs that came to their end within the grace period. */
  readonly finished: number
  /** Runs that were interrupted after it. */
  readonly interrupted: number
}

export interface LiveRuns {
  readonly size: number
  get(runId: string): LiveRun | undefined
  /** @param settle what is to be done with the result before the run counts as ended; must not reject */
  add(run: AgentRun, owner: string | undefined, settle: (result: RunResult) => Promise<void>): LiveRun
  /** Waits for all runs, at most `graceMs`, then interrupts what is left and waits for that. */
  drain(graceMs: number): Promise<DrainReport>
}

export function createLiveRuns(clock: Clock): LiveRuns {
  const live = new Map<string, LiveRun>()

  return {
    get size() {
      return live.size
    },
    get: (runId) => live.get(runId),
    add(run, owner, settle) {
      const finish = async (): Promise<RunResult> => {
        const result = await run.result
        await settle(result)
        live.delete(run.runId)
        return result
      }
      const entry: LiveRun = { run, owner, settled: finish() }
      live.set(run.runId, entry)
      return entry
    },
    async drain(graceMs) {
      const open = [...live.values()]
      const all = Promise.all(open.map(({ settled }) => settled))
      let cancelTimer = (): void => undefined
      const grace = new Promise<void>((resolve) => (cancelTimer = clock.setTimer(resolve, graceMs)))
      await Promise.race([all, grace])
      cancelTimer()
      const left = open.filter(({ run }) => live.has(run.runId))
      for (const { run } of left) run.interrupt('The server is shutting down')
      await all
      return { finished: open.length - left.length, interrupted: left.length }
    },
  }
}
