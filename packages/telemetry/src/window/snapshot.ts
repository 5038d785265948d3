import type { RunDecision } from '@millrace/core'
import type { TokenCounts } from '../observation.ts'
import { count, countsOf, type GroupCounts, isJudged } from './group.ts'
import { addHistogram, emptyHistogram, type Histogram, type HistogramCounts, histogramQuantile } from './histogram.ts'

/** In milliseconds; null without values. */
export interface Quantiles {
  readonly p50: number | null
  readonly p90: number | null
  readonly p95: number | null
  readonly p99: number | null
}

export interface LatencySnapshot extends HistogramCounts {
  readonly quantiles: Quantiles
}

export interface ToolSnapshot {
  /** Calls that ended by themselves, including failed ones. Cancelled and discarded calls are not counted. */
  readonly calls: number
  readonly failed: number
  readonly cancelled: number
}

/** A step down the recovery ladder, with the fields of the `fallback` event. */
export interface FallbackCount {
  readonly from: string
  readonly to: string
  readonly reason: string
  readonly stage: string
  readonly count: number
}

export interface ErrorCount {
  /** `run`, `request` or `tool`. */
  readonly source: string
  /** The `error.type` of the metrics. */
  readonly type: string
  readonly count: number
}

/** The numbers of one arm and mode. */
export interface SnapshotGroup {
  readonly arm: RunDecision['arm']
  readonly mode: RunDecision['mode']
  /** Runs that ended, by outcome and then by the lowest rung they needed. A missing entry is 0. */
  readonly runs: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Runs that ended, without those that were cancelled or taken over. Both rates are shares of these. */
  readonly judged: number
  /** The share of `judged` that did not fail; null if `judged` is 0. */
  readonly successRate: number | null
  /** The share of `judged` that did not fail and stayed on the stream. Only for the mode `stream`; otherwise null. */
  readonly streamRate: number | null
  readonly requests: { readonly count: number; readonly failed: number; readonly interrupted: number }
  readonly tokens: TokenCounts
  readonly tools: Readonly<Record<string, ToolSnapshot>>
  readonly fallbacks: readonly FallbackCount[]
  readonly errors: readonly ErrorCount[]
  readonly retractions: Readonly<Record<string, number>>
  readonly resumes: number
  /** From the start of a run to its first text, for all runs with text. */
  readonly firstText: LatencySnapshot
  /** From the start of a run to its end, for the runs in `judged`. */
  readonly total: LatencySnapshot
}

/** What happened in a period, as JSON. `mergeSnapshots` adds the snapshots of several instances. */
export interface TelemetrySnapshot {
  readonly version: 1
  /** Milliseconds since the epoch. */
  readonly from: number
  readonly to: number
  /** Runs that were open at its end. */
  readonly active: number
  /** One for each arm and mode with any activity. */
  readonly groups: readonly SnapshotGroup[]
}

export function toSnapshotGroup(group: GroupCounts): SnapshotGroup {
  const { arm, mode, firstText, total } = group
  const runs: Record<string, Record<string, number>> = {}
  let judged = 0
  let succeeded = 0
  let streamed = 0
  for (const [[end = '', rung = ''], ended] of countsOf(group, 'runs')) {
    runs[end] = { ...runs[end], [rung]: ended }
    if (!isJudged(end)) continue
    judged += ended
    if (end === 'failed') continue
    succeeded += ended
    if (rung === 'stream') streamed += ended
  }
  const share = (part: number): number | null => (judged === 0 ? null : part / judged)
  const requests = named(group, 'requests')
  const tokens = named(group, 'tokens')
  // Built from entries, because a tool may be named `__proto__`.
  const tools = new Map<string, ToolSnapshot>()
  for (const [[tool = '', kind = ''], calls] of countsOf(group, 'tools')) {
    tools.set(tool, { calls: 0, failed: 0, cancelled: 0, ...tools.get(tool), [kind]: calls })
  }
  return {
    arm,
    mode,
    runs,
    judged,
    successRate: share(succeeded),
    // Only runs that were to stream count towards the stream rate.
    streamRate: mode === 'stream' ? share(streamed) : null,
    requests: { count: 0, failed: 0, interrupted: 0, ...requests },
    tokens: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, reasoning: 0, ...tokens },
    tools: Object.fromEntries(tools),
    fallbacks: Array.from(
      countsOf(group, 'fallbacks'),
      ([[from = '', to = '', reason = '', stage = ''], times]): FallbackCount => ({
        from,
        to,
        reason,
        stage,
        count: times,
      }),
    ),
    errors: Array.from(countsOf(group, 'errors'), ([[source = '', type = ''], times]) => ({
      source,
      type,
      count: times,
    })),
    retractions: named(group, 'retractions'),
    resumes: [...countsOf(group, 'resumes')].reduce((sum, [, times]) => sum + times, 0),
    firstText: latency(firstText),
    total: latency(total),
  }
}

/** Reads the counts of a snapshot, so that snapshots can be added. */
export function fromSnapshotGroup(group: SnapshotGroup): GroupCounts {
  const { arm, mode } = group
  const counts: GroupCounts = { arm, mode, counters: new Map(), firstText: emptyHistogram(), total: emptyHistogram() }
  for (const [end, rungs] of Object.entries(group.runs)) {
    for (const [rung, times] of Object.entries(rungs)) count(counts, ['runs', end, rung], times)
  }
  for (const [kind, times] of Object.entries(group.requests)) count(counts, ['requests', kind], times)
  for (const [kind, times] of Object.entries(group.tokens)) count(counts, ['tokens', kind], times)
  for (const [tool, kinds] of Object.entries(group.tools)) {
    for (const [kind, times] of Object.entries(kinds)) count(counts, ['tools', tool, kind], times)
  }
  for (const { from, to, reason, stage, count: times } of group.fallbacks) {
    count(counts, ['fallbacks', from, to, reason, stage], times)
  }
  for (const { source, type, count: times } of group.errors) count(counts, ['errors', source, type], times)
  for (const [reason, times] of Object.entries(group.retractions)) count(counts, ['retractions', reason], times)
  count(counts, ['resumes'], group.resumes)
  addHistogram(counts.firstText, group.firstText)
  addHistogram(counts.total, group.total)
  return counts
}

function named(group: GroupCounts, head: string): Record<string, number> {
  return Object.fromEntries(Array.from(countsOf(group, head), ([[name = ''], times]) => [name, times]))
}

function latency(histogram: Histogram): LatencySnapshot {
  const quantile = (q: number): number | null => histogramQuantile(histogram, q) ?? null
  const { counts, count: values, sum } = histogram
  return {
    counts: [...counts],
    count: values,
    sum,
    quantiles: { p50: quantile(0.5), p90: quantile(0.9), p95: quantile(0.95), p99: quantile(0.99) },
  }
}
