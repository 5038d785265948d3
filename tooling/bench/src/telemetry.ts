import { createAgent, type Middleware } from '@millrace/core'
import { telemetry } from '@millrace/telemetry'
import { createPrometheus } from '@millrace/telemetry/prometheus'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { NoopSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { cannedModel } from './canned-model.ts'
import type { Comparison, Work } from './compare.ts'

/** Runs an agent `runs` times, each of `deltas` deltas, and reads every event. */
async function runAgent(use: readonly Middleware[], deltas: number, runs: number): Promise<void> {
  const agent = createAgent({ client: cannedModel(deltas), request: { model: 'canned', max_tokens: 1000 }, use })
  for (let run = 0; run < runs; run++) {
    const answer = agent.run({ messages: [{ role: 'user', content: 'Hello' }] })
    for await (const _ of answer);
    const { outcome, error } = await answer.result
    if (outcome !== 'completed') throw new Error(`a run ended as ${outcome}`, { cause: error })
  }
}

/** What a user may have telemetry write to. */
const uses: Readonly<Record<string, () => readonly Middleware[]>> = {
  'without telemetry': () => [],
  // What core spends on any middleware around runs and requests, so that telemetry's own part can be told from it.
  'a middleware that does nothing': () => [
    { name: 'nothing', run: (_scope, next) => next(), turn: (scope, next) => next(scope) },
  ],
  'the window alone': () => [telemetry({ meter: false, tracer: false })],
  Prometheus: () => [telemetry({ meter: createPrometheus().meter, tracer: false })],
  'OpenTelemetry SDK': () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1_000_000 })
    const tracer = new TracerProvider({ spanProcessors: [new NoopSpanProcessor()] }).getTracer('bench')
    return [telemetry({ meter: new MeterProvider({ readers: [reader] }).getMeter('bench'), tracer })]
  },
}

function variants(work: (use: readonly Middleware[], units: number) => Promise<void>): Readonly<Record<string, Work>> {
  return Object.fromEntries(
    Object.entries(uses).map(([name, make]) => {
      const use = make()
      return [name, (units: number) => work(use, units)]
    }),
  )
}

/** What telemetry costs for each delta: one long run. */
export const telemetryPerDelta: Comparison = {
  name: 'telemetry, one long run',
  unit: 'delta',
  variants: variants((use, units) => runAgent(use, units, 1)),
}

/** What telemetry costs for each run: many short ones. */
export const telemetryPerRun: Comparison = {
  name: 'telemetry, runs of ten deltas',
  unit: 'run',
  variants: variants((use, units) => runAgent(use, 10, units)),
}
