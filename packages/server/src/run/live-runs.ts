import { type AgentRun, type Clock, MillraceError, type RunResult } from '@millrace/core'
import type { Hooks } from '../operator/hooks.ts'
import { atMost } from './at-most.ts'

/** Milliseconds that runs may take to end once a shutdown has interrupted them: agents give their tools 5,000 of them. */
const closingTime = 6_000

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
  /**
   * Waits for all runs, at most `graceMs`, then interrupts what is left and waits for that, at most 6 s. What has not
   * ended even then is reported and left.
   */
  drain(graceMs: number): Promise<DrainReport>
}

export function createLiveRuns(clock: Clock, hooks: Hooks): LiveRuns {
  const live = new Map<string, LiveRun>()

  return {
    get size() {
      return live.size
    },
    get: (runId) => live.get(runId),
    add(run, owner, settle) {
      const finish = async (): Promise<RunResult> => {
        const result = await run.result.catch(toFailure(run.runId))
        // A run that another process has taken over goes on there.
        if (result.outcome === 'failed' && result.error?.code !== 'lease_lost') {
          hooks.report(result.error, { runId: run.runId, source: 'run' })
        }
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
      const isLeft = ({ run }: LiveRun): boolean => live.has(run.runId)
      const all = Promise.all(open.map(({ settled }) => settled))
      await atMost(clock, graceMs, all)
      const left = open.filter(isLeft)
      for (const { run } of left) run.interrupt('The server is shutting down')
      if (left.length > 0) await atMost(clock, closingTime, all)
      for (const { run } of left.filter(isLeft)) {
        const message = `the run did not end within ${closingTime} ms after the shutdown had interrupted it`
        hooks.report(new MillraceError('internal', message), { runId: run.runId, source: 'drain' })
      }
      return { finished: open.length - left.length, interrupted: left.length }
    },
  }
}

/** An agent's result never rejects; where one does all the same, its run has failed. */
function toFailure(runId: string): (cause: unknown) => RunResult {
  return (cause) => ({
    runId,
    outcome: 'failed',
    stopReason: null,
    messages: [],
    newMessages: [],
    text: '',
    usage: { input_tokens: 0, output_tokens: 0 },
    turns: 0,
    error: new MillraceError('internal', 'The agent failed', { cause }),
  })
}
