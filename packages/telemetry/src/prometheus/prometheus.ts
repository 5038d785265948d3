import { aCount, checkOptions } from '@millrace/core/kit'
import type { InstrumentOptions, Labels, MeterPort } from '../meter.ts'
import { helpText, labelSet, metricName, sampleValue } from './names.ts'

export interface PrometheusOptions {
  /** Series per metric. Values of further series are added up in one labelled `otel_metric_overflow`. Default: 2,000. */
  readonly maxSeries?: number
}

/** Metrics in the memory of this process, in the format that Prometheus scrapes. */
export interface Prometheus {
  /** For the option `meter` of `telemetry`. */
  readonly meter: MeterPort
  /** The media type of `text()`. */
  readonly contentType: string
  /** All metrics in Prometheus' text format. */
  text(): string
  /** Returns the same as a `Response`. */
  respond(): Response
}

type FamilyType = 'counter' | 'gauge' | 'histogram'

interface Series {
  readonly labels: Labels
  /** One count per boundary and one for larger values; each excludes the buckets before it. */
  readonly buckets: number[]
  value: number
}

interface Family {
  readonly name: string
  readonly type: FamilyType
  readonly help: string
  readonly boundaries: readonly number[]
  /** By the labels as they are printed. */
  readonly series: Map<string, Series>
  /** By the labels as they were passed, which is faster to compute. */
  readonly known: Map<string, Series>
}

const overflow: Labels = { otel_metric_overflow: 'true' }

const contentType = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * Creates a scrape endpoint without OpenTelemetry's SDK: a meter that keeps counters, gauges and histograms, and their text.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function createPrometheus(options: PrometheusOptions = {}): Prometheus {
  const maxSeries = readMaxSeries(options)
  const families = new Map<string, Family>()

  function family(type: FamilyType, name: string, { unit, description = '', advice }: InstrumentOptions): Family {
    const named = metricName(name, unit, type === 'counter')
    const known = families.get(named)
    if (known?.type === type) return known
    const boundaries = [...(advice?.explicitBucketBoundaries ?? [])].sort((one, other) => one - other)
    const made: Family = {
      name: named,
      type,
      help: helpText(description),
      boundaries,
      series: new Map(),
      known: new Map(),
    }
    families.set(named, made)
    return made
  }

  function seriesOf(of: Family, labels: Labels): Series {
    const given = JSON.stringify(labels)
    const known = of.known.get(given)
    if (known !== undefined) return known
    const series = findOrMake(of, labels)
    if (of.known.size < maxSeries) of.known.set(given, series)
    return series
  }

  function findOrMake(of: Family, labels: Labels): Series {
    const key = labelSet(Object.entries(labels))
    const found = of.series.get(key)
    if (found !== undefined) return found
    if (of.series.size >= maxSeries && labels !== overflow) return findOrMake(of, overflow)
    const made: Series = { labels, buckets: Array.from({ length: of.boundaries.length + 1 }, () => 0), value: 0 }
    of.series.set(key, made)
    return made
  }

  function adder(
    type: 'counter' | 'gauge',
    name: string,
    given: InstrumentOptions = {},
  ): ReturnType<MeterPort['createCounter']> {
    const of = family(type, name, given)
    return {
      add(value, labels = {}) {
        if (type === 'counter' && !(value >= 0)) return
        seriesOf(of, labels).value += value
      },
    }
  }

  const text = (): string => Array.from(families.values(), familyText).join('')

  return {
    meter: {
      createCounter: (name, given) => adder('counter', name, given),
      createUpDownCounter: (name, given) => adder('gauge', name, given),
      createHistogram(name, given = {}) {
        const of = family('histogram', name, given)
        return {
          record(value, labels = {}) {
            const series = seriesOf(of, labels)
            const found = of.boundaries.findIndex((boundary) => value <= boundary)
            const index = found === -1 ? of.boundaries.length : found
            series.buckets[index] = (series.buckets[index] ?? 0) + 1
            series.value += value
          },
        }
      },
    },
    contentType,
    text,
    respond: () => new Response(text(), { headers: { 'content-type': contentType } }),
  }
}

function familyText({ name, type, help, boundaries, series }: Family): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
  for (const { labels, buckets, value } of series.values()) {
    const given = Object.entries(labels)
    if (type !== 'histogram') {
      lines.push(`${name}${labelSet(given)} ${sampleValue(value)}`)
      continue
    }
    let count = 0
    for (const [index, bucket] of buckets.entries()) {
      count += bucket
      const le = sampleValue(boundaries[index] ?? Infinity)
      lines.push(`${name}_bucket${labelSet([...given, ['le', le]])} ${count}`)
    }
    lines.push(`${name}_sum${labelSet(given)} ${sampleValue(value)}`, `${name}_count${labelSet(given)} ${count}`)
  }
  return `${lines.join('\n')}\n`
}

function readMaxSeries(options: PrometheusOptions): number {
  checkOptions(options, '', { maxSeries: aCount(1) })
  const { maxSeries = 2000 } = options
  return maxSeries
}
