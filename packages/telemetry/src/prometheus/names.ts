/** The suffixes that OpenTelemetry's rules for Prometheus add for a unit. */
const suffixes: Readonly<Record<string, string>> = { s: '_seconds', ms: '_milliseconds', By: '_bytes' }

/** Returns the Prometheus name of a metric: `gen_ai.invoke_agent.duration` in `s` becomes `…_duration_seconds`. */
export function metricName(name: string, unit: string | undefined, isCounter: boolean): string {
  const suffix = suffixes[unit ?? ''] ?? ''
  const base = name.replaceAll(/[^\w:]/g, '_')
  return `${/^\d/.test(base) ? '_' : ''}${base}${base.endsWith(suffix) ? '' : suffix}${isCounter ? '_total' : ''}`
}

function labelName(name: string): string {
  const base = name.replaceAll(/\W/g, '_')
  return /^\d/.test(base) ? `_${base}` : base
}

/** Returns labels as `{a="b"}`, sorted by name and escaped; an empty string without labels. */
export function labelSet(labels: Iterable<readonly [name: string, value: string]>): string {
  const pairs = Array.from(labels, ([name, value]) => `${labelName(name)}="${escape(value)}"`).sort()
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

export function helpText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

export function sampleValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}

function escape(value: string): string {
  return helpText(value).replaceAll('"', '\\"')
}
