import type { AgentEvent, RunDecision } from '@millrace/core'
import type { Metric } from '../plan/metrics.ts'
import type { RolloutGate } from '../plan/plan.ts'

/** What is known of one run, from its events. */
export interface RunRecord {
  readonly runId: string
  readonly sessionId: string | undefined
  readonly decision: RunDecision
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  take(event: AgentEvent): void
  /** The metrics that the run is bad in; undefined if its end says nothing about how well runs go. */
  judge(
    end: Extract<AgentEvent, { type: 'run.finished' }>,
    gates: readonly RolloutGate[],
  ): readonly Metric[] | undefined
}

export type NewRun = Pick<RunRecord, 'decision' | 'runId' | 'sessionId' | 'startedAt'>

export function createRunRecord(run: NewRun): RunRecord {
  let toolFailed = false
  let fellBack = false
  let leftStream = run.decision.mode !== 'stream'
  let firstTextAt: number | undefined
  return {
    ...run,
    take(event) {
      switch (event.type) {
        case 'turn.started':
          if (event.mode !== 'stream') leftStream = true
          return
        case 'text.delta':
          firstTextAt ??= event.at
          return
        case 'tool.finished':
          if (event.outcome === 'error' || event.outcome === 'timeout' || event.outcome === 'unknown') toolFailed = true
          return
        case 'fallback':
          fellBack = true
          return
        default:
          return
      }
    },
    judge(end, gates) {
      // A user who stops a run, or another instance that takes it over, says nothing about it.
      if (end.outcome === 'interrupted' || end.error?.code === 'lease_lost') return undefined
      const failed = end.outcome === 'failed'
      const isBad = ({ metric, above = Infinity }: RolloutGate): boolean => {
        switch (metric) {
          case 'run_error':
            return failed
          case 'tool_failure':
            return toolFailed
          case 'slow_run':
            return end.at - run.startedAt > above
          case 'slow_first_text':
            return firstTextAt === undefined ? failed : firstTextAt - run.startedAt > above
          case 'incomplete_stream':
            return run.decision.mode === 'stream' && (failed || leftStream)
          case 'fallback':
            return fellBack
        }
      }
      return gates.filter(isBad).map(({ metric }) => metric)
    },
  }
}
