import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import * as fc from 'fast-check'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { requireProgram } from '@millrace/config/programs'
import { expect, test } from 'vitest'
import { metricList, type MeterPort, telemetry } from '../src/index.ts'
import { createPrometheus } from '../src/prometheus/index.ts'
import { runPlan } from './known-script.ts'

test('prints counters, gauges and histograms, named by their units', () => {
  const { meter, text, contentType, respond } = createPrometheus()
  const runs = meter.createCounter('app.runs', { unit: '{run}', description: 'Runs\nthat ended' })
  runs.add(1, { outcome: 'ok' })
  runs.add(2, { outcome: 'ok' })
  runs.add(-5, { outcome: 'ok' })
  runs.add(4, { outcome: 'two', rung: 'stream' })
  runs.add(5, { rung: 'stream', outcome: 'two' })
  runs.add(1, { outcome: 'a "b" \\ c\nd' })
  meter.createUpDownCounter('app.active').add(3)
  meter.createUpDownCounter('app.active').add(-1)
  const duration = meter.createHistogram('app.duration', {
    unit: 's',
    advice: { explicitBucketBoundaries: [0.5, 1, 2] },
  })
  for (const value of [0.5, 0.7, 3]) duration.record(value, { 'app.path': '/' })
  expect(text().split('\n')).toEqual([
    '# HELP app_runs_total Runs\\nthat ended',
    '# TYPE app_runs_total counter',
    'app_runs_total{outcome="ok"} 3',
    'app_runs_total{outcome="two",rung="stream"} 9',
    'app_runs_total{outcome="a \\"b\\" \\\\ c\\nd"} 1',
    '# HELP app_active ',
    '# TYPE app_active gauge',
    'app_active 2',
    '# HELP app_duration_seconds ',
    '# TYPE app_duration_seconds histogram',
    'app_duration_seconds_bucket{app_path="/",le="0.5"} 1',
    'app_duration_seconds_bucket{app_path="/",le="1"} 2',
    'app_duration_seconds_bucket{app_path="/",le="2"} 2',
    'app_duration_seconds_bucket{app_path="/",le="+Inf"} 3',
    'app_duration_seconds_sum{app_path="/"} 4.2',
    'app_duration_seconds_count{app_path="/"} 3',
    '',
  ])
  expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(respond().headers.get('content-type')).toBe(contentType)
})

test('adds up the values of series beyond the limit', () => {
  const { meter, text } = createPrometheus({ maxSeries: 3 })
  const counter = meter.createCounter('flood')
  for (let index = 0; index < 1000; index++) counter.add(1, { id: String(index) })
  expect(text().split('\n').slice(2, -1)).toEqual([
    'flood_total{id="0"} 1',
    'flood_total{id="1"} 1',
    'flood_total{id="2"} 1',
    'flood_total{otel_metric_overflow="true"} 997',
  ])
})

/** Both ways to the same numbers: a metric is recorded in OpenTelemetry's SDK and in ours. */
function tee(one: MeterPort, other: MeterPort): MeterPort {
  const both = <Value, Labels>(
    ...[first, second]: [(value: Value, labels: Labels) => void, (value: Value, labels: Labels) => void]
  ) => {
    return (value: Value, labels: Labels) => {
      first(value, labels)
      second(value, labels)
    }
  }
  return {
    createCounter(...args) {
      const [first, second] = [one.createCounter(...args), other.createCounter(...args)]
      return { add: both(first.add.bind(first), second.add.bind(second)) }
    },
    createUpDownCounter(...args) {
      const [first, second] = [one.createUpDownCounter(...args), other.createUpDownCounter(...args)]
      return { add: both(first.add.bind(first), second.add.bind(second)) }
    },
    createHistogram(...args) {
      const [first, second] = [one.createHistogram(...args), other.createHistogram(...args)]
      return { record: both(first.record.bind(first), second.record.bind(second)) }
    },
  }
}

/** Samples without what the other side writes differently: the scope, the unit in the name, the order of labels. */
function samplesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('target_info'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] = /^([^{ ]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      const kept = labels.split(/,(?=\w+=")/).filter((label) => label !== '' && !label.startsWith('otel_scope_'))
      const named = name.replace('_seconds', '')
      return `${named} ${kept.toSorted().join(',')} ${Number(value.replace('+Inf', 'Infinity')).toPrecision(9)}`
    })
    .toSorted()
}

test('gives the same samples as the exporter of OpenTelemetry for a hundred runs', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000_000 })
  const provider = new MeterProvider({ readers: [reader] })
  const prometheus = createPrometheus()
  await runPlan('adaptLoop', telemetry({ meter: tee(provider.getMeter('test'), prometheus.meter) }))
  await provider.forceFlush()
  const exported = exporter.getMetrics().at(-1)
  if (exported === undefined) throw new Error('nothing exported')
  const ours = samplesOf(prometheus.text())
  expect(ours.length).toBeGreaterThan(200)
  expect(ours).toEqual(samplesOf(new PrometheusSerializer().serialize(exported)))
  await provider.shutdown()

  const families = prometheus.text().matchAll(/^# TYPE (\S+) (\S+)$/gm)
  const listed = new Map(metricList.map(({ prometheus: name, type }) => [name, type === 'updown' ? 'gauge' : type]))
  for (const [, name = '', type] of families) expect(listed.get(name), name).toBe(type)
})

const promtool = requireProgram('promtool')

promtool.describe('promtool', () => {
  test('accepts any names and labels', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: 'binary', minLength: 1 }), fc.string({ unit: 'binary' }), fc.double()), {
          maxLength: 5,
        }),
        (series) => {
          const { meter, text } = createPrometheus()
          const gauge = meter.createUpDownCounter('app.level', { description: 'How\\high\nit is' })
          const histogram = meter.createHistogram('app.time', {
            unit: 's',
            description: 'Time',
            advice: { explicitBucketBoundaries: [1] },
          })
          for (const [name, value, sample] of series) {
            gauge.add(sample, { [`a${name.toLowerCase()}`]: value })
            histogram.record(sample, { [`a${name.toLowerCase()}`]: value })
          }
          // A lone surrogate cannot be UTF-8, and is replaced on the way.
          execFileSync(promtool.path ?? '', ['check', 'metrics'], { input: text(), stdio: 'pipe' })
        },
      ),
      { numRuns: 10 },
    )
  })
})

/** The address that Prometheus says it listens on: it takes any free port. */
async function addressOf(log: Readable): Promise<string> {
  for await (const line of createInterface({ input: log })) {
    const [, address] = /msg="Listening on" address=(\S+)/.exec(line) ?? []
    if (address === undefined) continue
    // What is not read would stop it.
    log.resume()
    return address
  }
  throw new Error('Prometheus ended')
}

const prometheusServer = requireProgram('prometheus')

prometheusServer.describe('a real Prometheus', () => {
  test('scrapes it and evaluates the formulas of the README', async () => {
    const metrics = createPrometheus()
    await runPlan('adaptLoop', telemetry({ meter: metrics.meter }))
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': metrics.contentType }).end(metrics.text())
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const target = typeof address === 'object' && address !== null ? address.port : 0
    const folder = await mkdtemp(join(tmpdir(), 'prometheus-'))
    const config = `scrape_configs: [{ job_name: app, scrape_interval: 100ms, scrape_timeout: 100ms, static_configs: [{ targets: ['127.0.0.1:${target}'] }] }]`
    await writeFile(join(folder, 'prometheus.yml'), config)
    const child = spawn(
      prometheusServer.path ?? '',
      [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        '--web.listen-address=127.0.0.1:0',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const exited = once(child, 'exit')
    try {
      const listening = await addressOf(child.stderr)
      const ask = async (query: string): Promise<Record<string, number>> => {
        const url = `http://${listening}/api/v1/query?query=${encodeURIComponent(query)}`
        const answer: { data: { result: { metric: Record<string, string>; value: [number, string] }[] } } = JSON.parse(
          await (await fetch(url)).text(),
        )
        const { result } = answer.data
        return Object.fromEntries(
          result.map(({ metric, value }) => [Object.values(metric).join(' '), Number(value[1])]),
        )
      }
      const ended = exited.then(() => Promise.reject(new Error('Prometheus ended')))
      const scrapes = async (): Promise<number> => (await ask('sum(sum_over_time(up[1h]))'))[''] ?? 0
      await expect.poll(() => Promise.race([scrapes(), ended])).toBeGreaterThan(1)
      // All runs were over before the first scrape, so that the counts stand for their rates.
      const judged = 'millrace_runs_total{outcome!~"cancelled|taken_over"}'
      expect(await ask(`sum by (arm) (${judged})`)).toEqual({ streaming: 56, control: 38 })
      const streamed = 'millrace_runs_total{mode="stream",rung="stream",outcome!~"cancelled|taken_over|failed"}'
      expect(
        await ask(`sum(${streamed}) / sum(millrace_runs_total{mode="stream",outcome!~"cancelled|taken_over"})`),
      ).toEqual({
        '': 38 / 56,
      })
      const calls = (labels: string) =>
        `sum by (gen_ai_tool_name) (gen_ai_execute_tool_duration_seconds_count${labels})`
      const succeeded = `(${calls('{error_type=""}')} or 0 * ${calls('')})`
      expect(await ask(`${succeeded} / ${calls('{error_type!~"cancelled|discarded"}')}`)).toEqual({
        look_up: 1,
        charge: 0,
      })
      expect(await ask('sum by (reason) (millrace_fallbacks_total)')).toEqual({ connection_lost: 26, bad_request: 10 })
      const quantile = await ask(
        'histogram_quantile(0.95, sum by (le) (gen_ai_invoke_agent_duration_seconds_bucket{mode="stream"}))',
      )
      expect(quantile['']).toBeGreaterThan(0)
    } finally {
      child.kill()
      await exited
      server.closeAllConnections()
      server.close()
      await rm(folder, { recursive: true, force: true })
    }
  })
})
