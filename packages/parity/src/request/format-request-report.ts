import { counted } from '../kit/counted.ts'
import type { RequestReport } from './compare-request.ts'

/**
 * Returns the lines that tell people how the first requests of an agent differ from the recorded ones. A difference
 * that many cassettes show is told once.
 */
export function formatRequestReports(reports: readonly RequestReport[]): string[] {
  const equal = reports.filter((report) => report.equal).length
  const found = new Map<string, { readonly path: string; readonly text: string; cassettes: number }>()
  for (const { path, text } of reports.flatMap(({ differences }) => differences)) {
    const key = JSON.stringify([path, text])
    const known = found.get(key)
    if (known === undefined) found.set(key, { path, text, cassettes: 1 })
    else known.cassettes++
  }
  const notes = new Set(reports.flatMap((report) => report.notes))
  const often = (cassettes: number): string =>
    reports.length === 1 ? '' : ` (${cassettes === reports.length ? 'all' : cassettes} of ${reports.length} cassettes)`
  return [
    ...[...found.values()].map(({ path, text, cassettes }) => `${path}: ${text}${often(cassettes)}`),
    ...[...notes].map((note) => `note: ${note}`),
    `${counted(reports.length, 'first request')}: ${equal} equal, ${reports.length - equal} different`,
  ]
}
