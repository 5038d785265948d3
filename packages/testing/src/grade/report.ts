import { columns } from './columns.ts'
import type { CaseResult } from './grade-case.ts'
import type { LoopGrades } from './grade-loop.ts'

/** Options of `formatReport`. */
export interface ReportOptions {
  /** How many failing cases are named per loop. Default: 20. */
  readonly failingCases?: number
}

/** The numbers of a report, for programs. */
export interface ReportSummary {
  readonly name: string
  readonly cases: number
  /** Cases without a finding. */
  readonly asTheyShould: number
  /** Cases without a finding in this column. */
  readonly columns: { readonly [column: string]: number }
  readonly byKind: { readonly [kind: string]: { readonly cases: number; readonly asTheyShould: number } }
  readonly byLayout: { readonly [layout: string]: { readonly cases: number; readonly asTheyShould: number } }
  readonly failing: readonly { readonly id: string; readonly findings: CaseResult['findings'] }[]
  readonly residue: readonly string[]
}

/** Whether a case ended as it should, in every column. */
export function isAsItShould(result: CaseResult): boolean {
  return Object.keys(result.findings).length === 0
}

/** Sums up the grades of a loop. The result can be written as JSON. */
export function summarize(grades: LoopGrades): ReportSummary {
  const { results } = grades
  return {
    name: grades.name,
    cases: results.length,
    asTheyShould: results.filter(isAsItShould).length,
    columns: Object.fromEntries(
      columns.map((column) => [column, results.filter(({ findings }) => findings[column] === undefined).length]),
    ),
    byKind: tally(results, ({ kind }) => kind),
    byLayout: tally(results, ({ layout }) => layout),
    failing: results.filter((result) => !isAsItShould(result)).map(({ id, findings }) => ({ id, findings })),
    residue: grades.residue,
  }
}

function tally(
  results: readonly CaseResult[],
  key: (result: CaseResult) => string,
): { [key: string]: { cases: number; asTheyShould: number } } {
  const table: { [key: string]: { cases: number; asTheyShould: number } } = {}
  for (const result of results) {
    const line = (table[key(result)] ??= { cases: 0, asTheyShould: 0 })
    line.cases++
    if (isAsItShould(result)) line.asTheyShould++
  }
  return table
}

/** Returns a report for people: a line for each loop, fault kind and layout, and the cases that failed. */
export function formatReport(grades: readonly LoopGrades[], options: ReportOptions = {}): string {
  const { failingCases = 20 } = options
  const summaries = grades.map((one) => summarize(one))
  const lines = ['Cases without a finding, of 100', '']
  lines.push(...table(['loop', 'cases', 'as it should', ...columns], summaries.map(loopRow)), '')
  lines.push(...breakdown('fault', summaries, ({ byKind }) => byKind), '')
  lines.push(...breakdown('layout', summaries, ({ byLayout }) => byLayout))
  for (const { name, failing, residue } of summaries) {
    if (residue.length > 0) lines.push('', `${name}: left behind at the end: ${residue.join(', ')}`)
    if (failing.length === 0) continue
    lines.push('', `${name}: ${failing.length} cases did not end as they should`)
    for (const { id, findings } of failing.slice(0, failingCases)) {
      lines.push(`  ${id}`)
      for (const [column, finding] of Object.entries(findings)) lines.push(`    ${column}: ${finding}`)
    }
    if (failing.length > failingCases) lines.push(`  and ${failing.length - failingCases} more`)
  }
  return `${lines.join('\n')}\n`
}

function loopRow(summary: ReportSummary): readonly string[] {
  const { cases } = summary
  const shares = columns.map((column) => percent(summary.columns[column] ?? 0, cases))
  return [summary.name, String(cases), percent(summary.asTheyShould, cases), ...shares]
}

function breakdown(
  title: string,
  summaries: readonly ReportSummary[],
  pick: (summary: ReportSummary) => ReportSummary['byKind'],
): readonly string[] {
  const keys = [...new Set(summaries.flatMap((summary) => Object.keys(pick(summary))))].toSorted()
  const rows = keys.map((key) => [
    key,
    ...summaries.map((summary) => {
      const line = pick(summary)[key]
      return line === undefined ? '-' : `${percent(line.asTheyShould, line.cases)} (${line.asTheyShould}/${line.cases})`
    }),
  ])
  return table([title, ...summaries.map(({ name }) => name)], rows)
}

/** Returns the share rounded down, so that 100 means that nothing is missing. */
function percent(part: number, whole: number): string {
  return whole === 0 ? '-' : String(Math.floor((part / whole) * 1000) / 10)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)]
}

/** Returns one line that says how far a grading run has come, for a terminal to overwrite. */
export function formatProgress(done: number, total: number, failing: number): string {
  return `${done}/${total} cases, ${failing === 0 ? 'all as they should' : `${failing} not as they should`}`
}
