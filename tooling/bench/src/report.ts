import type { MeasureResult } from './run-bench.ts'

/** What is written to `docs/performance.json`. */
export interface BenchFile {
  readonly date: string
  readonly node: string
  readonly cpus: string
  readonly measures: readonly MeasureResult[]
}

const round = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(1))

/** One measure as a table of text. */
export function formatMeasure({ title, unit, rounds, results }: MeasureResult): string {
  const width = Math.max(...results.map(({ peer }) => peer.length))
  const lines = results.map(
    ({ peer, ratio, low, median, high }) =>
      `  ${peer.padEnd(width)}  ${ratio.toFixed(2).padStart(6)}  ${round(median).padStart(8)} ${unit}  (${round(low)} to ${round(high)})`,
  )
  return [`${title}; median and quartiles of ${rounds} rounds`, ...lines].join('\n')
}

/** All measures as one table of Markdown: ratios to the baseline, and its own figure. */
export function markdownTable(measures: readonly MeasureResult[]): string {
  const names = measures[0]?.results.map(({ peer }) => peer) ?? []
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const rows = measures.map(({ title, unit, results }) => {
    const cells = names.map((name, index) => {
      const found = results.find(({ peer }) => peer === name)
      if (found === undefined) return '–'
      return index === 0 ? `${round(found.median)} ${unit}` : found.ratio.toFixed(2)
    })
    return row([title, ...cells])
  })
  return [row(['measure', ...names]), row(['---', ...names.map(() => '--:')]), ...rows].join('\n')
}

const barHeight = 16
const labelWidth = 250
const chartWidth = 860

/** The ratios as bars, in groups of one measure each. A ratio beyond 3 is cut, and its number says so. */
export function svgChart(measures: readonly MeasureResult[]): string {
  const scale = (ratio: number): number => (Math.min(ratio, 3) / 3) * (chartWidth - labelWidth - 70)
  const parts: string[] = []
  let y = 8
  for (const { title, results } of measures) {
    parts.push(`<text x="8" y="${y + 14}" font-weight="bold">${escapeXml(title)}</text>`)
    y += 22
    for (const { peer, ratio } of results) {
      const fill = peer.startsWith('Millrace') ? '#2563eb' : '#94a3b8'
      const width = scale(ratio).toFixed(1)
      parts.push(
        `<text x="${labelWidth - 8}" y="${y + 12}" text-anchor="end">${escapeXml(peer)}</text>`,
        `<rect x="${labelWidth}" y="${y + 2}" width="${width}" height="${barHeight - 4}" fill="${fill}"/>`,
        `<text x="${labelWidth + Number(width) + 6}" y="${y + 12}">${ratio.toFixed(2)}</text>`,
      )
      y += barHeight
    }
    y += 12
  }
  const one = labelWidth + scale(1)
  const line = `<line x1="${one}" y1="0" x2="${one}" y2="${y}" stroke="#64748b" stroke-dasharray="3 3"/>`
  const open = `<svg xmlns="http://www.w3.org/2000/svg" width="${chartWidth}" height="${y}" font-family="sans-serif" font-size="12">`
  return `${[open, '<rect width="100%" height="100%" fill="white"/>', line, ...parts, '</svg>'].join('\n')}\n`
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

/** A ratio that is worse than the file says by more than a fifth, in words. */
export function regressions(file: BenchFile, measures: readonly MeasureResult[], limit = 1.2): readonly string[] {
  return measures.flatMap(({ name, results }) =>
    results.flatMap(({ peer, ratio }) => {
      const before = file.measures
        .find((measure) => measure.name === name)
        ?.results.find((entry) => entry.peer === peer)
      if (before === undefined || ratio <= before.ratio * limit) return []
      return [`${name}: ${peer} takes ${ratio.toFixed(2)} times the baseline; the file says ${before.ratio.toFixed(2)}`]
    }),
  )
}
