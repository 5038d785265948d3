import { counted } from '../kit/counted.ts'
import type { Baseline } from './baseline.ts'
import type { Distribution } from './statistics.ts'

/** Returns the baseline as the lines of a table for people. */
export function formatBaseline(figures: Baseline): string[] {
  const { runs, turns, requests, latency, tokens, stopReasons, tools, gates } = figures
  const spread: readonly (readonly [string, Distribution, string])[] = [
    ['turn', latency.turn, 'ms'],
    ['run', latency.run, 'ms'],
    ['first byte', latency.firstByte, 'ms'],
    ['turns per run', turns.perRun, ''],
    ['input tokens per run', tokens.input.perRun, ''],
    ['output tokens per run', tokens.output.perRun, ''],
    ['cached tokens read per run', tokens.cacheRead.perRun, ''],
  ]
  return [
    `runs      ${runs.total}: ${runs.succeeded} succeeded, ${runs.failed} failed, ${runs.unfinished} unfinished; success ${percent(runs.rate)}`,
    `requests  ${requests.total}: ${requests.failed} failed${list(requests.errors)}`,
    `answers   ${turns.total}${list(stopReasons)}`,
    `tokens    ${tokens.input.total} in, ${tokens.output.total} out`,
    '',
    row(['', 'n', 'mean', 'p50', 'p95', 'p99', 'max']),
    ...spread.map(([name, { n, mean, p50, p95, p99, max }, unit]) =>
      row([name, String(n), ...[mean, p50, p95, p99, max].map((value) => rounded(value, unit))]),
    ),
    ...(Object.keys(tools).length === 0 ? [] : ['', row(['tool', 'calls', 'errors', 'success'])]),
    ...Object.entries(tools).map(([name, { calls, errors, rate }]) =>
      row([name, String(calls), String(errors), percent(rate)]),
    ),
    '',
    `gates     run error ${percent(gates.runError.rate)}, tool failure ${percent(gates.toolFailure.rate)}, latency p95 ${rounded(gates.latency.p95Ms, 'ms')}, of ${counted(gates.runError.n, 'run')}`,
  ]
}

function row([name = '', ...cells]: readonly string[]): string {
  return `${name.padEnd(28)}${cells.map((cell) => cell.padStart(10)).join('')}`
}

function list(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([name, count]) => `${name} ${count}`)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

/** Stands for a figure that is null. */
const none = '-'

function percent(share: number | null): string {
  return share === null ? none : `${(share * 100).toFixed(1)}%`
}

function rounded(value: number | null, unit: string): string {
  return value === null ? none : `${Math.round(value)}${unit}`
}
