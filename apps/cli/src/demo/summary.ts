import type { SceneReport } from './run-scene.ts'

/** Returns the lines of a table that has a column for each run. */
export function summaryTable(reports: readonly SceneReport[]): string[] {
  const row = (name: string, cell: (report: SceneReport, index: number) => string | number): string[] => [
    name,
    ...reports.map((report, index) => String(cell(report, index))),
  ]
  return columns([
    row('run', (_, index) => index + 1),
    row('mode (why)', ({ check: { decision } }) => (decision ? `${decision.mode} (${decision.reason})` : '-')),
    row('requests', ({ requests }) => requests.length),
    row('streams cut', ({ requests }) => requests.filter(({ faults }) => faults.length > 0).length),
    row('recovered by', ({ check }) => counted(check.fallbacks.map(({ to }) => to))),
    row('retractions', ({ check }) => check.retractions),
    row('survey_folder', ({ surveys }) => `ran ${surveys}x`),
    row('write_note', ({ notes }) => `ran ${notes}x`),
    row('blocks verified', ({ check }) => check.verified),
    row('answer', ({ textChecksum }) => textChecksum),
    row('as expected', ({ problems }) => (problems.length === 0 ? 'yes' : 'NO')),
  ])
}

/** `2 stream, 1 salvage` */
function counted(words: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].map(([word, count]) => `${count} ${word}`).join(', ') || '-'
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const pad = (cell: string, column: number): string => cell.padEnd(widths[column] ?? 0)
  return rows.map((row) => row.map(pad).join('  ').trimEnd())
}
