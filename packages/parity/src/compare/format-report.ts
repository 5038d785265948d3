import type { CassetteReport, Difference } from './compare-cassette.ts'

export interface FormatOptions {
  /** Whether differences are coloured, for a terminal. Default: false. */
  readonly colours?: boolean
  /** Characters of a value that are shown. Default: 100. */
  readonly width?: number
}

const red = (text: string): string => `\u001B[31m${text}\u001B[39m`
const green = (text: string): string => `\u001B[32m${text}\u001B[39m`

/** The lines that tell people what a comparison found, under the name of the cassette. */
export function formatReport(name: string, report: CassetteReport, options: FormatOptions = {}): string[] {
  const { colours = false, width = 100 } = options
  const { equal, turns, variants, differences, normalised, notes } = report
  const verdict = equal ? 'equal' : `${differences.length} ${differences.length === 1 ? 'difference' : 'differences'}`
  const colour = !colours ? (text: string) => text : equal ? green : red
  const evened = Object.entries(normalised).map(([rule, count]) => `${rule} ${count}`)
  return [
    `${name}: ${colour(verdict)}, ${turns} ${turns === 1 ? 'turn' : 'turns'}`,
    ...differences.flatMap((difference) => formatDifference(difference, variants.length, { colours, width })),
    ...notes.map((note) => `  note: ${note}`),
    ...(evened.length === 0 ? [] : [`  normalised: ${evened.join(', ')}`]),
  ]
}

function formatDifference(
  difference: Difference,
  tried: number,
  { colours, width }: Required<FormatOptions>,
): string[] {
  const { turn, path, variants } = difference
  const where = turn === 0 ? 'run' : `turn ${turn}`
  const all = variants.length === tried ? 'all variants' : variants.join(', ')
  const [expected, actual] = showBoth(difference, width)
  const lines = [`    - expected ${expected}`, `    + actual   ${actual}`]
  return [`  ${where}, ${path} (${all})`, ...(colours ? [green(lines[0] ?? ''), red(lines[1] ?? '')] : lines)]
}

/** Both values, cut to where they begin to differ. */
function showBoth(difference: Difference, width: number): [string, string] {
  const expected = 'expected' in difference ? show(difference.expected) : 'nothing'
  const actual = 'actual' in difference ? show(difference.actual) : 'nothing'
  let same = 0
  while (same < expected.length && expected[same] === actual[same]) same++
  // A little of what is equal says where in the value this is.
  const from = Math.max(expected.length, actual.length) <= width ? 0 : Math.max(0, same - Math.floor(width / 4))
  return [cut(expected, from, width), cut(actual, from, width)]
}

function show(value: unknown): string {
  // Control characters of a model's text must not reach a terminal: JSON escapes all but these.
  return (JSON.stringify(value) ?? 'undefined').replaceAll(/[\u007F-\u009F]/g, (code) => {
    return `\\u${code.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

function cut(text: string, from: number, width: number): string {
  const end = from + width
  return `${from > 0 ? '…' : ''}${text.slice(from, end)}${end < text.length ? '…' : ''}`
}
