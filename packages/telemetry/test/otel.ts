import { context, metrics, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'

/** One series of a metric: a number, or the count and sum of a histogram. */
export interface Point {
  readonly labels: Readonly<Record<string, unknown>>
  readonly value: number
  readonly sum: number
}

/** OpenTelemetry's own SDK, registered globally as an application does, with what it exports in memory. */
export interface OtelSdk extends AsyncDisposable {
  /** In the order in which they ended. */
  readonly spans: () => readonly ReadableSpan[]
  readonly points: (metric: string) => Promise<readonly Point[]>
}

export function startOtelSdk(): OtelSdk {
  const spanExporter = new InMemorySpanExporter()
  const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spanExporter })] })
  const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: metricExporter, exportIntervalMillis: 1_000_000 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  trace.setGlobalTracerProvider(tracerProvider)
  metrics.setGlobalMeterProvider(meterProvider)

  return {
    spans: () => spanExporter.getFinishedSpans(),
    async points(metric) {
      await meterProvider.forceFlush()
      const last = metricExporter.getMetrics().at(-1)
      const found = last?.scopeMetrics
        .flatMap((scope) => scope.metrics)
        .find(({ descriptor }) => descriptor.name === metric)
      if (found === undefined) return []
      if (found.dataPointType === DataPointType.HISTOGRAM) {
        return found.dataPoints.map(({ attributes, value }) => ({
          labels: attributes,
          value: value.count,
          sum: value.sum ?? 0,
        }))
      }
      if (found.dataPointType !== DataPointType.SUM) return []
      return found.dataPoints.map(({ attributes, value }) => ({ labels: attributes, value, sum: value }))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()])
      for (const api of [context, trace, metrics]) api.disable()
    },
  }
}
