import { attributes } from './conventions.ts'
import type { Guard } from './guard.ts'
import type { Labels, RecordValue } from './meter.ts'
import type { EndedRequest, EndedRun, EndedTool, ErrorSource, ObservedRun, Observe, RunRung } from './observation.ts'
import { countedOutcome, isToolFailure } from './observation.ts'

export interface RecordMetricsOptions {
  readonly record: RecordValue
  readonly guard: Guard
  readonly agentName: string | undefined
  readonly provider: string
}

/** The error type of a request that the user stopped. */
export const interrupted = 'interrupted'

const rungs: readonly RunRung[] = ['stream', 'buffered', 'legacy']

/** Turns observations into metrics. */
export function recordMetrics({ record: given, guard, agentName, provider }: RecordMetricsOptions): Observe {
  /** Records one value, so that an instrument that fails does not affect the others. */
  const record: RecordValue = (...args) => guard('meter', () => given(...args))
  const begun = new Set<string>()
  const agent: Labels = agentName === undefined ? {} : { [attributes.agentName]: agentName }
  const wrong = (type: string | undefined): Labels => (type === undefined ? {} : { [attributes.errorType]: type })
  const labelsOf = ({ mode, arm, model }: ObservedRun): Labels => ({ [attributes.requestModel]: model, mode, arm })

  function count(source: ErrorSource, type: string, { mode, arm }: ObservedRun): void {
    record('errors', 1, { source, ...wrong(type), mode, arm })
  }

  /** Creates the series for success and failure at once: with a missing series, a ratio has no value instead of 0. */
  function startSeries({ mode }: ObservedRun, labels: Labels): void {
    const key = JSON.stringify(labels)
    if (begun.has(key)) return
    begun.add(key)
    for (const rung of rungs.slice(rungs.indexOf(mode))) {
      for (const outcome of ['completed', 'failed']) record('runs', 0, { outcome, rung, ...labels })
    }
  }

  function countRun({ run, end, rung, ms, firstTextMs, errorType }: EndedRun): void {
    const { mode, arm } = run
    const labels = labelsOf(run)
    const stopped = end === 'cancelled' || end === 'taken_over' ? interrupted : undefined
    record('activeRuns', -1, { mode, arm })
    startSeries(run, labels)
    record('runs', 1, { outcome: end, rung, ...labels })
    record('runDuration', ms / 1000, { ...labels, ...agent, ...wrong(errorType ?? stopped) })
    if (firstTextMs !== undefined) record('timeToFirstText', firstTextMs / 1000, labels)
    if (errorType !== undefined) count('run', errorType, run)
  }

  function countRequest({ run, mode, model, ms, firstChunkMs, errorType, tokens }: EndedRequest): void {
    const labels: Labels = {
      [attributes.operation]: 'chat',
      [attributes.provider]: provider,
      [attributes.requestModel]: model,
      mode,
      arm: run.arm,
    }
    record('requestDuration', ms / 1000, { ...labels, ...wrong(errorType) })
    if (firstChunkMs !== undefined) record('timeToFirstChunk', firstChunkMs / 1000, labels)
    // The API does not count text and image tokens separately.
    const counted: Labels = { ...labels, [attributes.tokenModality]: 'unknown' }
    record('inputTokens', tokens.input, counted)
    record('outputTokens', tokens.output, counted)
    record('cacheReadTokens', tokens.cacheRead, counted)
    record('cacheWriteTokens', tokens.cacheWrite, counted)
    record('reasoningTokens', tokens.reasoning, counted)
    if (errorType !== undefined && errorType !== interrupted) count('request', errorType, run)
  }

  function countTool(ended: EndedTool): void {
    const { run, tool, ms } = ended
    const { mode, arm } = run
    const outcome = countedOutcome(ended)
    const labels: Labels = { [attributes.toolName]: tool, [attributes.toolType]: 'function', mode, arm, ...agent }
    record('toolDuration', ms / 1000, { ...labels, ...wrong(outcome === 'ok' ? undefined : outcome) })
    if (isToolFailure(outcome)) count('tool', outcome, run)
  }

  return (seen) => {
    const { run } = seen
    const { mode, arm } = run
    switch (seen.type) {
      case 'run.started':
        return record('activeRuns', 1, { mode, arm })
      case 'run.lost':
        return record('activeRuns', -1, { mode, arm })
      case 'run.resumed':
        return record('resumes', 1, { mode, arm })
      case 'run.ended':
        return countRun(seen)
      case 'request.ended':
        return countRequest(seen)
      case 'tool.ended':
        return countTool(seen)
      case 'fallback': {
        const { from, to, reason, stage } = seen
        return record('fallbacks', 1, { from, to, reason, stage, ...labelsOf(run) })
      }
      case 'retraction':
        return record('retractions', 1, { reason: seen.reason, ...labelsOf(run) })
    }
  }
}
