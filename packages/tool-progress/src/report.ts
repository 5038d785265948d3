import type { ToolProgress } from '@millrace/core'

/** The longest `message` that is passed on, in UTF-16 code units. */
const maxMessage = 1000
/** The largest `data` that is passed on, in characters of its JSON. */
const maxData = 16_384

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function finite(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined
}

/** The first `max` code units of `text`, never half of a surrogate pair. */
function cut(text: string, max: number): string {
  if (text.length <= max) return text
  const end = /[\uD800-\uDBFF]/.test(text.charAt(max - 1)) ? max - 1 : max
  return `${text.slice(0, end)}…`
}

/**
 * What of a report can be used: a tool may hand in anything, and what it hands in may throw when it is read. `data` is
 * taken over as its JSON is now, so that nothing that the tool changes later, or that has no JSON, reaches an event.
 */
export function readReport(report: unknown): ToolProgress {
  try {
    if (!isRecord(report)) return {}
    const progress = finite(report['progress'])
    const total = finite(report['total'])
    const { message, data } = report
    return {
      ...(progress === undefined ? {} : { progress }),
      ...(total === undefined || total === 0 ? {} : { total }),
      ...(typeof message === 'string' ? { message: cut(message, maxMessage) } : {}),
      ...(data === undefined ? {} : { data: readData(data) }),
    }
  } catch {
    // A getter or a proxy of the tool's own.
    return {}
  }
}

function readData(data: unknown): unknown {
  try {
    const json = JSON.stringify(data)
    if (typeof json !== 'string') return { omitted: 'not_json' }
    return json.length > maxData ? { omitted: 'too_large' } : JSON.parse(json)
  } catch {
    return { omitted: 'not_json' }
  }
}
