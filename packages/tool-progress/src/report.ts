import type { ToolProgress } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'

/** The longest `message` of an event, in UTF-16 code units. */
const maxMessage = 1000
/** The largest `data` of an event, in characters of its JSON. */
const maxData = 16_384

function finite(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined
}

/** Returns the first `max` code units of `text`, without half a surrogate pair. */
function cut(text: string, max: number): string {
  if (text.length <= max) return text
  const end = /[\uD800-\uDBFF]/.test(text.charAt(max - 1)) ? max - 1 : max
  return `${text.slice(0, end)}…`
}

/**
 * Reads the usable parts of a report: a tool may pass anything, and reading it may throw. `data` is copied through JSON, so
 * that an event holds neither what the tool changes later nor what JSON cannot express.
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
    // A getter or a proxy of the tool threw.
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
