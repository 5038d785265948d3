import { checkNames, unknownName } from '../kit/errors.ts'
import type { Expected } from './expected-table.ts'
import type { FaultCase } from './fault-matrix.ts'
import { type CaseResult, gradeCase } from './grade-case.ts'
import type { LoopUnderTest } from './job.ts'
import type { Layout } from '../layouts/layout.ts'
import { layouts as allLayouts } from '../layouts/layouts.ts'

/** Options of `gradeLoop`. */
export interface GradeOptions {
  /** The loop's name in the report. */
  readonly name: string
  readonly loop: LoopUnderTest
  readonly cases: readonly FaultCase[]
  /** How a case should end. Default: every case completes. See `expectedFrom`. */
  readonly expected?: (faultCase: FaultCase) => Expected
  /** How many cases run at a time. Default: 8. */
  readonly concurrency?: number
  /** Real milliseconds after which a loop counts as hanging. Default: 10000. */
  readonly caseTimeout?: number
  /** Passed on to the loop as `job.useLegacy`. Default: false. */
  readonly useLegacy?: boolean
  /** Called after each case, in the order in which they end. */
  readonly onProgress?: (done: number, total: number, result: CaseResult) => void
  /** Stops after the cases that are running. */
  readonly signal?: AbortSignal
  /** Where the cases' layouts come from. Default: the shipped ones. */
  readonly layouts?: readonly Layout[]
}

/** The grades of one loop. */
export interface LoopGrades {
  readonly name: string
  /** In the order of the cases; fewer where it was stopped. */
  readonly results: readonly CaseResult[]
  /** Resources of the process that were left when all cases had ended, such as `1 Timeout`. Empty for a clean loop. */
  readonly residue: readonly string[]
}

const optionNames: readonly (keyof GradeOptions)[] = [
  'name',
  'loop',
  'cases',
  'expected',
  'concurrency',
  'caseTimeout',
  'useLegacy',
  'onProgress',
  'signal',
  'layouts',
]

/**
 * Runs a loop through every case and grades each.
 *
 * Rejects with a `TestingError` (`invalid_option`) for an unknown option, or a case of an unknown layout.
 */
export async function gradeLoop(options: GradeOptions): Promise<LoopGrades> {
  checkNames(options, optionNames)
  const { cases, concurrency = 8, caseTimeout = 10_000, expected = () => 'completed', layouts = allLayouts } = options
  const never = new AbortController()
  const { signal = never.signal } = options
  const jobs = cases.map((faultCase) => ({ faultCase, layout: layoutOf(faultCase, layouts) }))
  const results: (CaseResult | undefined)[] = jobs.map(() => undefined)
  const rejections = watchRejections()
  const before = countResources()
  let next = 0
  let done = 0

  const work = async (): Promise<void> => {
    while (next < jobs.length && !signal.aborted) {
      const index = next++
      const one = jobs[index]
      if (one === undefined) return
      const { faultCase, layout } = one
      const seen = rejections.count()
      const graded = await gradeCase({
        loop: options.loop,
        faultCase,
        layout,
        expected: expected(faultCase),
        caseTimeout,
        useLegacy: options.useLegacy ?? false,
        signal,
      })
      // A rejection does not say where it comes from, so every case that ran at the time gets the finding.
      if (rejections.count() > seen) graded.findings.noResidue ??= `unhandled rejection: ${rejections.last()}`
      results[index] = graded
      options.onProgress?.(++done, jobs.length, graded)
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.max(1, concurrency) }, () => work()))
    await settle()
    return {
      name: options.name,
      results: results.filter((result) => result !== undefined),
      residue: addedResources(before, countResources()),
    }
  } finally {
    rejections.stop()
  }
}

function layoutOf(faultCase: FaultCase, layouts: readonly Layout[]): Layout {
  const layout = layouts.find(({ id }) => id === faultCase.layout)
  if (layout === undefined)
    throw unknownName(
      'layout',
      faultCase.layout,
      layouts.map(({ id }) => id),
      'cases',
    )
  return layout
}

function watchRejections(): { count(): number; last(): string; stop(): void } {
  let count = 0
  let last = ''
  const note = (reason: unknown): void => {
    count++
    last = String(reason)
  }
  process.on('unhandledRejection', note)
  return { count: () => count, last: () => last, stop: () => process.off('unhandledRejection', note) }
}

/** A few turns of the event loop, in which closed handles disappear. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** The resources that count. Sockets are graded by case, and a client may keep connections for its next request. */
const graded = new Set(['Timeout', 'Immediate', 'FSReqCallback', 'ChildProcess', 'Worker'])

function countResources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) {
    if (graded.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

function addedResources(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): readonly string[] {
  return [...after].flatMap(([name, count]) => {
    const added = count - (before.get(name) ?? 0)
    return added > 0 ? [`${added} ${name}`] : []
  })
}
