import { refuse } from '@millrace/core/kit'

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/**
 * Reads a duration such as `30m`, `12h` or `3d` as milliseconds. Units: ms, s, m, h, d.
 *
 * @throws MillraceError `invalid_option`
 */
export function readDuration(value: unknown, path: string): number {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(value) : null
  const amount = Number(match?.[1])
  const unit = Object.entries(units).find(([name]) => name === match?.[2])
  if (unit === undefined || !(amount > 0)) {
    refuse(path, `must be a duration such as "30m", "12h" or "3d", not ${JSON.stringify(value)}`)
  }
  return amount * unit[1]
}

/** Formats milliseconds in the largest unit that divides them, as {@link readDuration} reads them. */
export function formatDuration(ms: number): string {
  const fitting = Object.entries(units).findLast(([, length]) => ms >= length && ms % length === 0)
  return fitting === undefined ? `${ms}ms` : `${ms / fitting[1]}${fitting[0]}`
}
