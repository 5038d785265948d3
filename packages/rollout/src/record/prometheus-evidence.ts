import { type Clock, MillraceError, systemClock } from '@millrace/core'
import { aClock, aFunction, anId, aRecordOf, checkOptions, isRecord, refuse, type Rule } from '@millrace/core/kit'
import type { GroupEvidence, StageEvidence } from '../control/evidence.ts'
import type { RolloutState } from '../control/state.ts'
import type { Metric } from '../plan/metrics.ts'
import type { RolloutPlan } from '../plan/plan.ts'

export interface PrometheusEvidenceOptions {
  /** The server's URL, such as `http://prometheus:9090`. */
  readonly url: string
  readonly plan: RolloutPlan
  /**
   * Queries that give the bad runs of a metric, by the label `arm`. `$range` stands for the time since the stage began. Default:
   * those of `@millrace/telemetry` for `run_error` and `incomplete_stream`; other metrics need one.
   */
  readonly queries?: Readonly<Partial<Record<Metric, string>>>
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch
  readonly clock?: Clock
}

const rules: Readonly<Record<keyof PrometheusEvidenceOptions, Rule>> = {
  url: anId,
  plan: (value, path) => void (isRecord(value) || refuse(path, 'must be a plan, as readPlan gives it')),
  queries: aRecordOf(anId),
  fetch: aFunction,
  clock: aClock,
}

const judged = 'outcome!~"cancelled|taken_over"'
const runsQuery = `sum by (arm) (increase(millrace_runs_total{${judged}}[$range]))`
const knownQueries: Readonly<Partial<Record<Metric, string>>> = {
  run_error: 'sum by (arm) (increase(millrace_runs_total{outcome="failed"}[$range]))',
  incomplete_stream: `sum by (arm) (increase(millrace_runs_total{mode="stream",rung!="stream",${judged}}[$range]) or increase(millrace_runs_total{mode="stream",rung="stream",outcome="failed"}[$range]))`,
}

/**
 * Reads the evidence of a stage from Prometheus, for the option `evidence` of `createRollout`. Metrics know no users, so the
 * plan must count runs and draw them by run, and no segment may stream beside the percentage.
 *
 * @throws MillraceError `invalid_option` if the plan cannot be judged by metrics, or a metric has no query
 */
export function prometheusEvidence(
  options: PrometheusEvidenceOptions,
): (epoch: number, state: RolloutState, signal: AbortSignal) => Promise<StageEvidence> {
  checkOptions(options, '', rules)
  const { url, plan, queries = {}, fetch = globalThis.fetch, clock = systemClock } = options
  if (!URL.canParse(url)) refuse('url', 'must be an absolute URL')
  if (plan.unit !== 'run') refuse('plan.unit', 'must be "run": metrics count runs, and runs of one user fail together')
  for (const [index, { percent, segments }] of plan.stages.entries()) {
    if (percent > 0 && segments.length > 0) {
      refuse(
        `plan.stages[${index}].segments`,
        'must be empty above 0 percent: metrics cannot tell members from drawn runs',
      )
    }
  }
  const asked = plan.gates.map(({ metric }): readonly [Metric, string] => [metric, queryFor(metric, queries)])

  async function query(text: string, range: number, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const target = new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`)
    target.searchParams.set('query', text.replaceAll('$range', `${range}s`))
    const response = await fetch(target, { signal })
    const body: unknown = await response.json()
    if (response.ok) return readVector(body)
    throw new MillraceError('store_unavailable', `Prometheus answered ${response.status}`)
  }

  return async (_epoch, state, signal) => {
    const range = Math.floor((clock.now() - state.since - plan.settle) / 1000)
    if (range < 1) return toEvidence(new Map(), [])
    const [runs, ...bad] = await Promise.all(
      [runsQuery, ...asked.map(([, text]) => text)].map((text) => query(text, range, signal)),
    )
    const named = asked.map(([metric], index) => [metric, bad[index] ?? new Map<string, number>()] as const)
    return toEvidence(runs ?? new Map<string, number>(), named)
  }
}

function queryFor(metric: Metric, queries: PrometheusEvidenceOptions['queries'] = {}): string {
  const text = queries[metric] ?? knownQueries[metric]
  if (text !== undefined) return text
  return refuse(`queries.${metric}`, `is missing: give a query of its bad runs by arm, over [$range]`)
}

/** Reads an instant vector by its label `arm`. What is no vector of numbers is an error: it must not look like no failures. */
function readVector(body: unknown): ReadonlyMap<string, number> {
  const data = isRecord(body) ? body['data'] : undefined
  const result: unknown = isRecord(data) && data['resultType'] === 'vector' ? data['result'] : undefined
  if (!Array.isArray(result)) throw new MillraceError('store_unavailable', 'Prometheus answered no vector')
  return new Map(result.map(readSample))
}

function readSample(sample: unknown): readonly [string, number] {
  const labels = isRecord(sample) ? sample['metric'] : undefined
  const value: unknown = isRecord(sample) && Array.isArray(sample['value']) ? sample['value'][1] : undefined
  const count = typeof value === 'string' ? Number(value) : Number.NaN
  if (isRecord(labels) && typeof labels['arm'] === 'string' && count >= 0) return [labels['arm'], count]
  throw new MillraceError(
    'store_unavailable',
    'Prometheus answered a sample without the label "arm", or without a count',
  )
}

function toEvidence(
  runs: ReadonlyMap<string, number>,
  bad: readonly (readonly [Metric, ReadonlyMap<string, number>])[],
): StageEvidence {
  const group = (arm: string): GroupEvidence => {
    const units = Math.round(runs.get(arm) ?? 0)
    // Prometheus extrapolates, so a count may be a fraction, or above its whole.
    const counts = bad.map(([metric, found]) => [metric, Math.min(units, Math.round(found.get(arm) ?? 0))] as const)
    const ofMetric = Object.fromEntries(counts)
    return { units, observed: units, bad: ofMetric, any: ofMetric }
  }
  return { streaming: group('streaming'), control: group('control') }
}
