import { isRecord } from '../kit/guards.ts'

/**
 * How long an answer asks us to wait, in milliseconds, from its `retry-after-ms` or `retry-after` header (seconds or an
 * HTTP date). Undefined where it says nothing that can be read.
 */
export function readRetryAfter(headers: unknown, now: number): number | undefined {
  const milliseconds = Number.parseFloat(header(headers, 'retry-after-ms') ?? '')
  if (Number.isFinite(milliseconds)) return Math.max(0, milliseconds)
  const value = header(headers, 'retry-after')
  if (value === undefined) return undefined
  const seconds = Number(value)
  if (seconds >= 0 && value.trim() !== '') return seconds * 1_000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

function header(headers: unknown, name: string): string | undefined {
  if (!isRecord(headers)) return undefined
  const { get } = headers
  const value: unknown = typeof get === 'function' ? Reflect.apply(get, headers, [name]) : headers[name]
  return typeof value === 'string' ? value : undefined
}
