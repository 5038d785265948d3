import { attributes } from './conventions.ts'

export type MetricType = 'counter' | 'histogram' | 'updown'

/** One metric: its names and labels. */
export interface MetricDescription {
  /** Its OpenTelemetry name. */
  readonly name: string
  /** Its name in Prometheus. The series of a histogram append `_bucket`, `_sum` and `_count`. */
  readonly prometheus: string
  /** `updown` is an UpDownCounter, which Prometheus calls a gauge. */
  readonly type: MetricType
  /** The unit in UCUM: `s` is seconds, and a word in braces is a count of that thing. */
  readonly unit: string
  readonly description: string
  /** Attribute names; in Prometheus, dots become underscores. */
  readonly labels: readonly string[]
  /** The attributes that only some series have. */
  readonly optional: readonly string[]
  /** Upper boundaries of a histogram's buckets, in its unit. */
  readonly boundaries?: readonly number[]
}

/** The boundaries that the conventions define for single requests and tool calls. */
const requestSeconds: readonly number[] = [
  0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
]

/** The boundaries that the conventions define for invocations of an agent. */
const runSeconds: readonly number[] = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6]

const { agentName, errorType, operation, provider, requestModel, tokenModality, toolName, toolType } = attributes
const perRun = [requestModel, 'mode', 'arm']
const perRequest = [operation, provider, requestModel, 'mode', 'arm']

function tokens(kind: string, description: string): MetricDescription {
  return {
    name: `gen_ai.client.inference.usage.${kind}`,
    prometheus: `gen_ai_client_inference_usage_${kind.replaceAll('.', '_')}_total`,
    type: 'counter',
    unit: '{token}',
    description,
    labels: [operation, provider, requestModel, tokenModality, 'mode', 'arm'],
    optional: [],
  }
}

/** The short names of the metrics in this code. */
export type MetricKey =
  | 'activeRuns'
  | 'breakerState'
  | 'cacheReadTokens'
  | 'cacheWriteTokens'
  | 'errors'
  | 'fallbacks'
  | 'inputTokens'
  | 'outputTokens'
  | 'reasoningTokens'
  | 'requestDuration'
  | 'resumes'
  | 'retractions'
  | 'runDuration'
  | 'runs'
  | 'timeToFirstChunk'
  | 'timeToFirstText'
  | 'toolDuration'

/** Every metric that `telemetry` records. */
export const metrics: Readonly<Record<MetricKey, MetricDescription>> = {
  requestDuration: {
    name: 'gen_ai.client.inference.duration',
    prometheus: 'gen_ai_client_inference_duration_seconds',
    type: 'histogram',
    unit: 's',
    description: 'How long requests to the model took, until their answer ended',
    labels: [...perRequest, errorType],
    optional: [errorType],
    boundaries: requestSeconds,
  },
  timeToFirstChunk: {
    name: 'gen_ai.client.inference.time_to_first_chunk',
    prometheus: 'gen_ai_client_inference_time_to_first_chunk_seconds',
    type: 'histogram',
    unit: 's',
    description: 'How long streaming requests took until the first content of their answer arrived',
    labels: perRequest,
    optional: [],
    boundaries: requestSeconds,
  },
  inputTokens: tokens('input_tokens', 'Input tokens of requests, cached ones included'),
  outputTokens: tokens('output_tokens', 'Output tokens of requests, those of thinking included'),
  cacheReadTokens: tokens('cache_read.input_tokens', 'Input tokens that were read from the cache'),
  cacheWriteTokens: tokens('cache_write.input_tokens', 'Input tokens that were written to the cache'),
  reasoningTokens: tokens('reasoning.output_tokens', 'Output tokens of thinking'),
  runDuration: {
    name: 'gen_ai.invoke_agent.duration',
    prometheus: 'gen_ai_invoke_agent_duration_seconds',
    type: 'histogram',
    unit: 's',
    description: 'How long runs took, tools included',
    labels: [...perRun, agentName, errorType],
    optional: [agentName, errorType],
    boundaries: runSeconds,
  },
  toolDuration: {
    name: 'gen_ai.execute_tool.duration',
    prometheus: 'gen_ai_execute_tool_duration_seconds',
    type: 'histogram',
    unit: 's',
    description: 'How long tool calls took',
    labels: [toolName, toolType, 'mode', 'arm', agentName, errorType],
    optional: [agentName, errorType],
    boundaries: requestSeconds,
  },
  timeToFirstText: {
    name: 'millrace.run.time_to_first_text',
    prometheus: 'millrace_run_time_to_first_text_seconds',
    type: 'histogram',
    unit: 's',
    description: 'How long runs took until their first text',
    labels: perRun,
    optional: [],
    boundaries: runSeconds,
  },
  runs: {
    name: 'millrace.runs',
    prometheus: 'millrace_runs_total',
    type: 'counter',
    unit: '{run}',
    description: 'Runs that ended, by outcome and by the lowest rung of the ladder they needed',
    labels: ['outcome', 'rung', ...perRun],
    optional: [],
  },
  activeRuns: {
    name: 'millrace.runs.active',
    prometheus: 'millrace_runs_active',
    type: 'updown',
    unit: '{run}',
    description: 'Runs under way',
    labels: ['mode', 'arm'],
    optional: [],
  },
  fallbacks: {
    name: 'millrace.fallbacks',
    prometheus: 'millrace_fallbacks_total',
    type: 'counter',
    unit: '{fallback}',
    description: 'Steps down the recovery ladder',
    labels: ['from', 'to', 'reason', 'stage', ...perRun],
    optional: [],
  },
  retractions: {
    name: 'millrace.retractions',
    prometheus: 'millrace_retractions_total',
    type: 'counter',
    unit: '{retraction}',
    description: 'Retractions of output that was shown',
    labels: ['reason', ...perRun],
    optional: [],
  },
  resumes: {
    name: 'millrace.resumes',
    prometheus: 'millrace_resumes_total',
    type: 'counter',
    unit: '{run}',
    description: 'Runs that were taken over from a process that died',
    labels: ['mode', 'arm'],
    optional: [],
  },
  errors: {
    name: 'millrace.errors',
    prometheus: 'millrace_errors_total',
    type: 'counter',
    unit: '{error}',
    description: 'Errors of runs, requests and tool calls',
    labels: ['source', errorType, 'mode', 'arm'],
    optional: [],
  },
  breakerState: {
    name: 'millrace.circuit_breaker.state',
    prometheus: 'millrace_circuit_breaker_state',
    type: 'updown',
    unit: '{breaker}',
    description: 'Circuit breakers that are in this state',
    labels: ['state'],
    optional: [],
  },
}

/** Every metric that `telemetry` records, to check a dashboard or a document against. */
export const metricList: readonly MetricDescription[] = Object.values(metrics)
