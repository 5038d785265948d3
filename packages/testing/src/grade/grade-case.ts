import type { Clock } from '../kit/clock.ts'
import { type Findings, gradeReport } from './columns.ts'
import type { Expected } from './expected-table.ts'
import type { FaultCase } from './fault-matrix.ts'
import { createJobTools, type Job, type LoopOutcome, type LoopReport, type LoopUnderTest } from './job.ts'
import { jobModel, type Layout, playLayout } from '../layouts/layout.ts'
import { createQuietTime } from './quiet-time.ts'
import type { RequestRecord } from '../server/request-record.ts'
import { type ScriptedClaude, startClaude } from '../server/server.ts'

/** How one case ended. */
export interface CaseResult {
  readonly id: string
  readonly layout: string
  readonly kind: string
  readonly frequency: string
  readonly expected: Expected
  /** Undefined if the loop hung or threw. */
  readonly outcome: LoopOutcome | undefined
  /** What was wrong, by column. Empty for a case that ended as it should. */
  readonly findings: Findings
  readonly requests: number
}

export interface GradeCaseOptions {
  readonly loop: LoopUnderTest
  readonly faultCase: FaultCase
  readonly layout: Layout
  readonly expected: Expected
  /** Real milliseconds. */
  readonly caseTimeout: number
  readonly useLegacy: boolean
  readonly signal: AbortSignal
}

const apiKey = 'sk-ant-api03-graded-loop-key'

/** Runs a loop on one case, with a server of its own, and grades how it ends. */
export async function gradeCase(options: GradeCaseOptions): Promise<CaseResult> {
  const { faultCase, layout, expected } = options
  const play = playLayout(layout)
  const counters: { claude?: ScriptedClaude } = {}
  const time = createQuietTime(() => activity(counters.claude))
  const claude = await startClaude({ script: play.script, faults: [faultCase.rule], clock: time.clock(), seed: 1 })
  counters.claude = claude
  const clock = time.clock()
  const stop = new AbortController()
  const { tools, runs } = createJobTools(layout)
  const job: Job = {
    baseURL: claude.url,
    apiKey,
    model: jobModel,
    messages: [{ role: 'user', content: layout.question }],
    tools,
    clock,
    signal: AbortSignal.any([stop.signal, options.signal]),
    useLegacy: options.useLegacy,
    seed: faultCase.seed,
  }
  try {
    const end = await runToEnd(options.loop, job, options.caseTimeout)
    const isOddAnswer = faultCase.kind === 'stop-reason'
    const findings: Findings =
      end.type === 'report'
        ? gradeReport({ job, layout, report: end.report, productions: play.productions, runs, isOddAnswer })
        : end.findings
    const residue = end.type === 'report' ? await findResidue(claude, clock) : undefined
    if (residue !== undefined) findings.noResidue = residue
    const outcome = end.type === 'report' ? end.report.outcome : undefined
    const wanted = expected === 'completed' ? 'completed' : expected.outcome
    if (outcome !== wanted) findings.completed = `${outcome ?? 'no end'} instead of ${wanted}`
    const { id, kind, frequency } = faultCase
    return { id, layout: layout.id, kind, frequency, expected, outcome, findings, requests: claude.requests.length }
  } finally {
    stop.abort(new Error('the case is over'))
    time.stop()
    await claude.close()
  }
}

/** Returns a number that changes whenever bytes, requests or connections have moved. */
function activity(claude: ScriptedClaude | undefined): number {
  if (claude === undefined) return 0
  const { bytesSent, requests, openRequests } = claude.stats
  return bytesSent * 1009 + requests * 31 + openRequests * 7 + claude.openSockets
}

type RunEnd =
  | { readonly type: 'report'; readonly report: LoopReport }
  | { readonly type: 'no-report'; readonly findings: Findings }

async function runToEnd(loop: LoopUnderTest, job: Job, timeout: number): Promise<RunEnd> {
  const running = Promise.resolve()
    .then(() => loop(job))
    .then(
      (report): RunEnd => ({ type: 'report', report }),
      (error: unknown): RunEnd => ({ type: 'no-report', findings: { typedError: `the loop threw: ${String(error)}` } }),
    )
  let timer: NodeJS.Timeout | undefined
  const timedOut = new Promise<RunEnd>((resolve) => {
    const findings = { noHang: `no end within ${timeout} ms` }
    timer = setTimeout(() => resolve({ type: 'no-report', findings }), timeout)
  })
  try {
    return await Promise.race([running, timedOut])
  } finally {
    clearTimeout(timer)
  }
}

/** Real milliseconds that a loop may take to release its connections after it has ended. */
const settleTime = 500

async function findResidue(
  claude: ScriptedClaude,
  clock: Clock & { readonly pending: number },
): Promise<string | undefined> {
  const isEnded = (record: RequestRecord): boolean => record.endedAt !== undefined
  if (!claude.requests.every(isEnded)) {
    const bound = AbortSignal.timeout(settleTime)
    await claude.waitFor(() => claude.requests.every(isEnded), bound).catch(() => undefined)
  }
  const open = claude.requests.filter((record) => !isEnded(record)).length
  if (open > 0) return `${open} requests still open`
  return clock.pending > 0 ? `${clock.pending} timers still set` : undefined
}
