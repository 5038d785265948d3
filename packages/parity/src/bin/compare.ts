import { setTimeout as wait } from 'node:timers/promises'
import { type CassetteReport, compareCassette, type CompareOptions } from '../compare/compare-cassette.ts'
import { formatReport } from '../compare/format-report.ts'
import { isParityError } from '../kit/errors.ts'
import { type CassetteFile, findCassettes, readCassetteFile } from '../node/cassette-folder.ts'
import { replayServer } from '../node/replay-server.ts'
import { counted } from '../kit/counted.ts'
import type { CommandHost } from './host.ts'
import { createProgress } from './progress.ts'

export interface CompareArguments {
  readonly paths: readonly string[]
  readonly json: boolean
  readonly variants: CompareOptions['variants']
  readonly seed: number | undefined
}

/** The report on one file. */
type FileReport =
  | ({ readonly path: string; readonly status: 'compared' } & CassetteReport)
  | { readonly path: string; readonly status: 'refused'; readonly message: string }

/** Compares cassettes. Returns 0 if all are equal, 1 if one differs, 2 if one cannot be read. */
export async function compare(given: CompareArguments, host: CommandHost): Promise<number> {
  const { json, variants, seed } = given
  const paths = await findCassettes(given.paths)
  const progress = createProgress(host, paths.length, 'cassettes')
  const reports: FileReport[] = []
  const stop = new AbortController()
  const release = host.onSignal((signal) => stop.abort(signal))
  try {
    for (const path of paths) {
      // One after the other, since a folder may hold more than fits into memory.
      const report = await compareFile(await readCassetteFile(path), {
        place: replayServer,
        signal: stop.signal,
        ...(variants !== undefined && { variants }),
        ...(seed !== undefined && { seed }),
      })
      progress.clear()
      if (!json) print(report, host)
      reports.push(report)
      progress.done()
      // A turn of the event loop, in which a signal can arrive.
      await wait(0)
    }
  } finally {
    progress.clear()
    release()
  }
  return conclude(reports, json, host)
}

async function compareFile(file: CassetteFile, options: CompareOptions): Promise<FileReport> {
  const { path } = file
  if (file.status === 'refused') return { path, status: 'refused', message: file.error.message }
  try {
    return { path, status: 'compared', ...(await compareCassette(file.cassette, options)) }
  } catch (error) {
    if (isParityError(error, 'invalid_cassette')) return { path, status: 'refused', message: error.message }
    throw error
  }
}

function print(report: FileReport, host: CommandHost): void {
  if (report.status === 'refused') {
    host.err(`${report.path}: ${report.message}`)
    return
  }
  // For equal cassettes it is told once, as a sum: a line for each would hide the ones that differ.
  const shown = report.equal ? { ...report, normalised: {} } : report
  for (const line of formatReport(report.path, shown, { colours: host.isTerminal.out })) host.out(line)
}

function conclude(reports: readonly FileReport[], json: boolean, host: CommandHost): number {
  const refused = reports.filter(({ status }) => status === 'refused').length
  const equal = reports.filter((report) => report.status === 'compared' && report.equal).length
  const different = reports.length - refused - equal
  if (json) {
    const summary = { cassettes: reports.length, equal, different, refused }
    host.out(JSON.stringify({ format: 'millrace-parity', version: 1, summary, cassettes: reports }, undefined, 2))
  } else {
    host.out(`${counted(reports.length, 'cassette')}: ${equal} equal, ${different} different, ${refused} refused`)
    const evened = sumOfNormalised(reports)
    if (evened.length > 0) host.out(`normalised: ${evened.join(', ')}`)
  }
  if (refused > 0) return 2
  if (!reports.some((report) => report.status === 'compared' && report.turns > 0)) {
    host.err('nothing was compared: no answer was recorded')
    return 2
  }
  return different > 0 ? 1 : 0
}

function sumOfNormalised(reports: readonly FileReport[]): string[] {
  const sum = new Map<string, number>()
  for (const report of reports) {
    if (report.status === 'refused') continue
    for (const [name, count] of Object.entries(report.normalised)) sum.set(name, (sum.get(name) ?? 0) + count)
  }
  return [...sum].map(([name, count]) => `${name} ${count}`)
}
