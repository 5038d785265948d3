import type { CassetteReport, Difference } from './compare-cassette.ts'
import { showBoth } from './show-values.ts'

export interface FormatOptions {
  /** Whether differences are coloured, for a terminal. Default: false. */
  readonly colours?: boolean
  /** Characters of a value that are shown. Default: 100. */
  readonly width?: number
}

const red = (text: string): string => `\u001B[31m${text}\u001B[39m`
const green = (text: string): string => `\u001B[32m${text}\u001B[39m`

/** Returns the lines that tell people what a comparison found, with the name of the cassette first. */
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
