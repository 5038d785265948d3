import { metrics as globalMetrics } from '@opentelemetry/api'
import { type MetricKey, metrics } from './metric-list.ts'

export type Labels = Readonly<Record<string, string>>

/** The options of `createCounter` and similar methods. */
export interface InstrumentOptions {
  description?: string
  unit?: string
  advice?: { explicitBucketBoundaries?: number[] }
}

/** The part of a meter that telemetry uses. OpenTelemetry's `Meter` and `createPrometheus().meter` have it. */
export interface MeterPort {
  createCounter(name: string, options?: InstrumentOptions): { add(value: number, labels?: Labels): void }
  createUpDownCounter(name: string, options?: InstrumentOptions): { add(value: number, labels?: Labels): void }
  createHistogram(name: string, options?: InstrumentOptions): { record(value: number, labels?: Labels): void }
}

/** Records a value of a metric. May throw what the meter throws. */
export type RecordValue = (metric: MetricKey, value: number, labels: Labels) => void

export interface Recorder {
  readonly record: RecordValue
  /** Calls `tell` when values start to go to another provider, which has not seen earlier values. */
  readonly onRenewal: (tell: () => void) => void
}

/** The name of our instrumentation scope. */
export const instrumentationName = '@millrace/telemetry'

/**
 * Creates instruments when they are first needed. Without a meter they come from the global provider, which may be registered
 * after this call. An instrument that was created before then would record nothing.
 */
export function createRecorder(meter: MeterPort | undefined): Recorder {
  const told: (() => void)[] = []
  let source: unknown
  let instruments = new Map<MetricKey, (value: number, labels: Labels) => void>()

  function make(metric: MetricKey): (value: number, labels: Labels) => void {
    const { name, type, unit, description, boundaries } = metrics[metric]
    const from = meter ?? globalMetrics.getMeter(instrumentationName)
    switch (type) {
      case 'counter': {
        const counter = from.createCounter(name, { unit, description })
        return (value, labels) => counter.add(value, labels)
      }
      case 'updown': {
        const counter = from.createUpDownCounter(name, { unit, description })
        return (value, labels) => counter.add(value, labels)
      }
      case 'histogram': {
        const advice = { explicitBucketBoundaries: [...(boundaries ?? [])] }
        const histogram = from.createHistogram(name, { unit, description, advice })
        return (value, labels) => histogram.record(value, labels)
      }
    }
  }

  function record(metric: MetricKey, value: number, labels: Labels): void {
    const provider = meter ?? globalMetrics.getMeterProvider()
    if (provider !== source) {
      source = provider
      instruments = new Map()
      for (const tell of told) tell()
    }
    let instrument = instruments.get(metric)
    if (instrument === undefined) {
      instrument = make(metric)
      instruments.set(metric, instrument)
    }
    instrument(value, labels)
  }

  return { record, onRenewal: (tell) => void told.push(tell) }
}
