import { type AgentRun, type Clock, type MoveOptions, MillraceError, type RunResult } from '@millrace/core'
import type { Hooks } from '../operator/hooks.ts'
import { atMost } from './at-most.ts'
import { isMoved } from '../session/moved.ts'

/** Milliseconds that runs may take to end once a shutdown has stopped them: agents give their tools 5,000 of them. */
const closingTime = 6_000

/** A run that this handler drives. */
export interface LiveRun {
  readonly run: AgentRun
  readonly owner: string | undefined
  /** Resolves when the run has ended here and its session holds what it added. Never rejects. */
  readonly settled: Promise<RunResult>
}

export interface DrainReport {
  /** Runs that ended within the grace period. */
  readonly finished: number
  /** Runs that another instance goes on with. Missing if there are none. */
  readonly moved?: number
  /** Runs that were interrupted, because no other instance can take them. */
  readonly interrupted: number
}

export interface LiveRuns {
  readonly size: number
  get(runId: string): LiveRun | undefined
  /** @param settle what is to be done with the result before the run counts as ended; must not reject */
  add(run: AgentRun, owner: string | undefined, settle: (result: RunResult) => Promise<void>): LiveRun
  /**
   * Waits for all runs, at most `graceMs`. With `move`, a run moves at the end of its turn, and what is left after the grace
   * period moves at once; without it, what is left is interrupted. Both may take 6 s. Reports and leaves a run that takes
   * longer.
   */
  drain(graceMs: number, move: Pick<MoveOptions, 'retryMs'> | undefined): Promise<DrainReport>
}

export function createLiveRuns(clock: Clock, hooks: Hooks): LiveRuns {
  const live = new Map<string, LiveRun>()
  /** Set once the runs are to move: a takeover that was under way when the shutdown began may still add one. */
  let moving: MoveOptions | undefined

  const settled = async (): Promise<void> => {
    while (live.size > 0) await Promise.all([...live.values()].map((entry) => entry.settled))
  }

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
      if (moving !== undefined) run.move(moving)
      return entry
    },
    async drain(graceMs, move) {
      const open = [...live.values()]
      let moved = 0
      for (const { run, settled: ended } of open) {
        if (move !== undefined) run.move(move)
        void ended.then((result) => {
          if (isMoved(result)) moved++
        })
      }
      moving = move
      await atMost(clock, graceMs, settled())
      const finished = open.filter(({ run }) => !live.has(run.runId)).length - moved
      if (move !== undefined) moving = { ...move, now: true }
      for (const { run } of live.values()) {
        if (moving === undefined) run.interrupt('The server is shutting down')
        else run.move(moving)
      }
      if (live.size > 0) await atMost(clock, closingTime, settled())
      for (const runId of live.keys()) {
        const message = `the run did not end within ${closingTime} ms after the shutdown had stopped it`
        hooks.report(new MillraceError('internal', message), { runId, source: 'drain' })
      }
      return { finished, ...(moved > 0 && { moved }), interrupted: open.length - finished - moved }
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
