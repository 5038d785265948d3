/** What can be bad about a run. Each is a yes or no for one run, so that a gate counts units instead of averaging numbers. */
export const metrics = [
  'run_error',
  'tool_failure',
  'slow_run',
  'slow_first_text',
  'incomplete_stream',
  'fallback',
] as const

export type Metric = (typeof metrics)[number]

/** How each metric is called in sentences. */
export const metricNames: Readonly<Record<Metric, string>> = {
  run_error: 'failed runs',
  tool_failure: 'runs with a failed tool call',
  slow_run: 'slow runs',
  slow_first_text: 'runs whose first text came late',
  incomplete_stream: 'streams that did not complete',
  fallback: 'runs that needed a fallback',
}

/** The metrics that the control group has too. The others exist only for a run that streams. */
export const comparable: readonly Metric[] = ['run_error', 'tool_failure', 'slow_run']
