import { isRecord } from '@millrace/core/kit'
import type { Cassette } from '../cassette/cassette.ts'
import { isList, type JsonObject } from '../kit/json.ts'
import { isUnfinished } from '../record/open-runs.ts'
import { type RecordedRun, recordedRun } from '../replay/recorded-run.ts'
import { type Distribution, distribution, isCount, rate } from './statistics.ts'

/**
 * The figures of the legacy loop, from its recordings. The gates of a rollout compare streamed runs with them. A share
 * or a quantile of nothing is null.
 */
export interface Baseline {
  readonly format: 'millrace-baseline'
  readonly version: 1
  /** Milliseconds since the epoch: the first request, and the end of the last answer. */
  readonly from: number
  readonly to: number
  /** `rate` is the share of runs that did not end in an error. Runs that the recording cuts off do not count for it. */
  readonly runs: {
    readonly total: number
    readonly succeeded: number
    readonly failed: number
    readonly unfinished: number
    readonly rate: number | null
  }
  readonly turns: { readonly total: number; readonly perRun: Distribution }
  readonly requests: {
    readonly total: number
    readonly failed: number
    /** How often each error came, by the API's type, by a status such as `status_503`, or by why there is no answer. */
    readonly errors: Readonly<Record<string, number>>
  }
  /**
   * Milliseconds. A turn lasts from its first attempt to its answer's end, a run from its first request to its last
   * answer.
   */
  readonly latency: { readonly turn: Distribution; readonly run: Distribution; readonly firstByte: Distribution }
  readonly tokens: {
    readonly input: TokenFigures
    readonly output: TokenFigures
    readonly cacheCreation: TokenFigures
    readonly cacheRead: TokenFigures
  }
  readonly stopReasons: Readonly<Record<string, number>>
  readonly models: Readonly<Record<string, number>>
  /** Client tools by name, by the results that the loop sent back. */
  readonly tools: Readonly<
    Record<string, { readonly calls: number; readonly errors: number; readonly rate: number | null }>
  >
  /** What each gate starts from: the shares of bad runs, and the latency that 95 of 100 runs keep. */
  readonly gates: {
    readonly runError: { readonly bad: number; readonly n: number; readonly rate: number | null }
    readonly toolFailure: { readonly bad: number; readonly n: number; readonly rate: number | null }
    readonly latency: { readonly p95Ms: number | null; readonly n: number }
  }
}

export interface TokenFigures {
  readonly total: number
  readonly perRun: Distribution
}

/** A result as the loop sent it back. */
interface ToolResult {
  readonly name: string
  readonly isError: boolean
}

/**
 * Returns the figures of the loop that the cassettes were recorded from.
 *
 * @throws ParityError `invalid_cassette` if a recorded stream holds no whole answer
 */
export function baseline(cassettes: readonly Cassette[]): Baseline {
  const runs = cassettes.map(recordedRun)
  const finished = runs.filter(({ end }) => end.kind === 'finished')
  const failed = runs.filter(({ end }) => end.kind === 'failed')
  const ended = [...finished, ...failed]
  const turns = runs.flatMap((run) => run.turns)
  const results = runs.map(toolResults)
  const endedResults = ended.map(toolResults)
  const exchanges = cassettes.flatMap((cassette) => cassette.exchanges)
  // The duration of a run that was cut off is unknown, and that of a failed one is not the latency of an answer.
  const runTimes = finished.map(({ startedAt, endedAt }) => endedAt - startedAt)
  const errors = exchanges.flatMap(({ answer }) => errorName(answer))
  const tokens = (field: string): TokenFigures => {
    const perRun = finished.map((run) => sum(run.turns.map(({ message }) => message.usage[field])))
    return { total: sum(turns.map(({ message }) => message.usage[field])), perRun: distribution(perRun) }
  }
  const bad = endedResults.filter((list) => list.some(({ isError }) => isError)).length
  return {
    format: 'millrace-baseline',
    version: 1,
    from: Math.min(...runs.map(({ startedAt }) => startedAt)),
    to: Math.max(...runs.map(({ endedAt }) => endedAt)),
    runs: {
      total: runs.length,
      succeeded: finished.length,
      failed: failed.length,
      unfinished: runs.length - ended.length,
      rate: rate(finished.length, ended.length),
    },
    turns: { total: turns.length, perRun: distribution(finished.map((run) => run.turns.length)) },
    requests: { total: exchanges.length, failed: errors.length, errors: tally(errors) },
    latency: {
      turn: distribution(turns.map(({ startedAt, endedAt }) => endedAt - startedAt)),
      run: distribution(runTimes),
      firstByte: distribution(exchanges.flatMap(({ firstByteMs }) => (firstByteMs === undefined ? [] : [firstByteMs]))),
    },
    tokens: {
      input: tokens('input_tokens'),
      output: tokens('output_tokens'),
      cacheCreation: tokens('cache_creation_input_tokens'),
      cacheRead: tokens('cache_read_input_tokens'),
    },
    stopReasons: tally(turns.map(({ message }) => message.stop_reason)),
    models: tally(turns.map(({ message, parameters }) => String(message['model'] ?? parameters['model']))),
    tools: toolFigures(results.flat()),
    gates: {
      runError: { bad: failed.length, n: ended.length, rate: rate(failed.length, ended.length) },
      toolFailure: { bad, n: ended.length, rate: rate(bad, ended.length) },
      latency: { p95Ms: distribution(runTimes).p95, n: runTimes.length },
    },
  }
}

function errorName(answer: Cassette['exchanges'][number]['answer']): string[] {
  switch (answer.kind) {
    case 'message':
    case 'stream':
      return []
    case 'error':
      return [answer.type ?? `status_${answer.status}`]
    case 'broken':
      return [answer.reason]
  }
}

/** Returns the results of a run's own calls. Those in its first request belong to an earlier run. */
function toolResults({ turns }: RecordedRun): ToolResult[] {
  return turns.flatMap(({ message }, index) => {
    const calls = new Map(
      isUnfinished(message.stop_reason)
        ? message.content.flatMap(({ type, id, name }) => (type === 'tool_use' ? [[id, String(name)]] : []))
        : [],
    )
    return blocksOf(turns[index + 1]?.messages.at(-1)).flatMap(({ type, tool_use_id: id, is_error: isError }) => {
      const name = type === 'tool_result' ? calls.get(id) : undefined
      return name === undefined ? [] : [{ name, isError: isError === true }]
    })
  })
}

function toolFigures(results: readonly ToolResult[]): Baseline['tools'] {
  const names = [...new Set(results.map(({ name }) => name))].sort()
  return Object.fromEntries(
    names.map((tool) => {
      const own = results.filter(({ name }) => name === tool)
      const errors = own.filter(({ isError }) => isError).length
      return [tool, { calls: own.length, errors, rate: rate(own.length - errors, own.length) }]
    }),
  )
}

function blocksOf(message: JsonObject | undefined): readonly JsonObject[] {
  const content = message?.['content']
  return isList(content) ? content.filter(isRecord) : []
}

function sum(values: readonly unknown[]): number {
  return values.filter(isCount).reduce((total, value) => total + value, 0)
}

function tally(names: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return Object.fromEntries([...counts].sort(([one], [other]) => (one < other ? -1 : 1)))
}
