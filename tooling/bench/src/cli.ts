import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { benches } from './benches.ts'
import { compare, formatRows } from './compare.ts'
import { measures } from './measures.ts'
import { type BenchFile, formatMeasure, markdownTable, regressions, svgChart } from './report.ts'
import { type BenchOptions, type MeasureResult, runBench } from './run-bench.ts'

const docs = new URL('../../../docs/', import.meta.url)
const chosen = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const flags = new Set(process.argv.slice(2).filter((argument) => argument.startsWith('--')))
const known = [...measures.map(({ name }) => name), ...Object.keys(benches)]
const unknown = [
  ...chosen.filter((name) => !known.includes(name)),
  ...[...flags].filter((flag) => flag !== '--write' && flag !== '--check'),
]
if (unknown.length > 0) {
  console.error(`unknown bench "${unknown.join('", "')}"; expected --write, --check, or some of ${known.join(', ')}`)
  process.exitCode = 1
} else if (flags.has('--check')) await check()
else await run()

/** Prints every measure; with `--write` keeps them in `docs`. */
async function run(): Promise<void> {
  for (const [name, { comparison, units }] of Object.entries(benches)) {
    if (!chosen.includes(name)) continue
    const options = { units, rounds: 15 }
    console.log(`${formatRows(comparison, options, await compare(comparison, options))}\n`)
  }
  const overHttp = measures.map(({ name }) => name).filter((name) => chosen.length === 0 || chosen.includes(name))
  if (overHttp.length === 0) return
  const results: MeasureResult[] = []
  for (const name of overHttp) {
    const found = await runWithProgress({ measures: [name] })
    for (const result of found) console.log(`${formatMeasure(result)}\n`)
    results.push(...found)
  }
  if (!flags.has('--write')) return
  const { version: node } = process
  const [cpu, ...others] = cpus()
  const date = new Date().toISOString().slice(0, 10)
  const file: BenchFile = { date, node, cpus: `${others.length + 1} × ${cpu?.model ?? 'unknown'}`, measures: results }
  writeFileSync(new URL('performance.json', docs), `${JSON.stringify(file, null, 2)}\n`)
  writeFileSync(new URL('performance.svg', docs), svgChart(results))
  writePage(file)
}

/** Replaces the table in the page, between its two marks. */
function writePage({ date, node, cpus, measures }: BenchFile): void {
  const path = fileURLToPath(new URL('performance.md', docs))
  const page = readFileSync(path, 'utf8')
  const made = `<!-- table -->\n\n${markdownTable(measures)}\n\nMeasured on ${date} with Node ${node.slice(1)} on ${cpus}.\n\n<!-- end of table -->`
  writeFileSync(
    path,
    page.replace(/<!-- table -->[^]*<!-- end of table -->/, () => made),
  )
}

/**
 * The short form: a few rounds of what is CPU time or bytes, and so holds on a busy machine. A ratio that is a fifth worse
 * than the file says is measured once more before it counts.
 */
async function check(): Promise<void> {
  const file: BenchFile = JSON.parse(readFileSync(new URL('performance.json', docs), 'utf8'))
  const short = {
    peers: ['Millrace, lean fetch'],
    measures: ['bulk', 'paced', 'tool-turn', 'request', 'wire'],
    rounds: 5,
  }
  let worse = regressions(file, await runWithProgress(short))
  if (worse.length > 0) {
    const again = measures.map(({ name }) => name).filter((name) => worse.some((line) => line.startsWith(`${name}:`)))
    worse = regressions(file, await runWithProgress({ ...short, measures: again, rounds: 9 }))
  }
  for (const line of worse) console.error(line)
  if (worse.length > 0) process.exitCode = 1
  else console.log('bench: no ratio is worse than docs/performance.json says')
}

function runWithProgress(options: BenchOptions): Promise<readonly MeasureResult[]> {
  return runBench({
    ...options,
    onProgress: (step) => {
      if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${step}`)
    },
  }).finally(() => {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  })
}
