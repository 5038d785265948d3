import { formatEvidence } from '../control/sentences.ts'
import type { Reading } from '../control/judge.ts'

const width = 20

/** Draws a share from 0 to 1 as a bar. */
export function bar(share: number, length: number = width): string {
  const full = Math.round(Math.min(Math.max(share, 0), 1) * length)
  return '█'.repeat(full) + '░'.repeat(length - full)
}

/** Draws how far evidence has come. The scale is logarithmic, as evidence multiplies. */
export function evidenceBar({ logE, needed }: Reading): string {
  return `${bar(logE / needed)} ${formatEvidence(logE)} of ${formatEvidence(needed)}`
}

/** Formats a count with separators of thousands. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** Formats a share in percent. */
export function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`
}

/** Lays rows out in columns. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, index) => Math.max(known[index] ?? 0, cell.length)),
    [],
  )
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Formats milliseconds in the two largest units. */
export function roughly(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60]
  if (days > 0) return hours > 0 ? `${days}d ${hours}h` : `${days}d`
  return hours > 0 ? `${hours}h ${rest}m` : `${rest}m`
}
