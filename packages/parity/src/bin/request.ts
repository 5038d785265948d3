import { isParityError } from '../kit/errors.ts'
import { type CassetteFile, findCassettes, readCassetteFile } from '../node/cassette-folder.ts'
import { loadAgent } from '../node/load-agent.ts'
import { compareRequest, type MakeAgent, type RequestReport } from '../request/compare-request.ts'
import { formatRequestReports } from '../request/format-request-report.ts'
import type { CommandHost } from './host.ts'

export interface RequestArguments {
  readonly paths: readonly string[]
  /** The module that exports the agent, and the name of the export. */
  readonly agent: string
  readonly name: string | undefined
  readonly json: boolean
}

type FileReport =
  | ({ readonly path: string; readonly status: 'compared' } & RequestReport)
  | { readonly path: string; readonly status: 'refused'; readonly message: string }

/**
 * Compares an agent's first requests. Returns 0 where all are equal, 1 where one differs, 2 where one cannot be read.
 */
export async function compareRequests(given: RequestArguments, host: CommandHost): Promise<number> {
  const paths = await findCassettes(given.paths)
  const makeAgent = await loadAgent(given.agent, given.name)
  const stop = new AbortController()
  const release = host.onSignal((signal) => stop.abort(signal))
  const reports: FileReport[] = []
  try {
    for (const path of paths) {
      // One after the other: they share this process's way to the Messages API.
      const report = await compareFile(await readCassetteFile(path), makeAgent, stop.signal)
      if (report.status === 'refused') host.err(`${path}: ${report.message}`)
      reports.push(report)
    }
  } finally {
    release()
  }
  return conclude(reports, given.json, host)
}

async function compareFile(file: CassetteFile, makeAgent: MakeAgent, signal: AbortSignal): Promise<FileReport> {
  const { path } = file
  if (file.status === 'refused') return { path, status: 'refused', message: file.error.message }
  try {
    return { path, status: 'compared', ...(await compareRequest(file.cassette, makeAgent, { signal })) }
  } catch (error) {
    if (isParityError(error, 'invalid_cassette')) return { path, status: 'refused', message: error.message }
    throw error
  }
}

function conclude(reports: readonly FileReport[], json: boolean, host: CommandHost): number {
  const compared = reports.filter((report) => report.status === 'compared')
  const equal = compared.filter((report) => report.equal).length
  const [different, refused] = [compared.length - equal, reports.length - compared.length]
  if (json) {
    const summary = { cassettes: reports.length, equal, different, refused }
    host.out(
      JSON.stringify({ format: 'millrace-parity-request', version: 1, summary, cassettes: reports }, undefined, 2),
    )
  } else {
    for (const line of formatRequestReports(compared)) host.out(line)
  }
  if (refused > 0) return 2
  return different > 0 ? 1 : 0
}
