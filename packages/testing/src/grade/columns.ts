import { isObject, isString } from '../kit/guards.ts'
import type { Job, LoopReport } from './job.ts'
import type { Layout, Production } from '../layouts/layout.ts'
import { findLeaks } from './leaks.ts'
import { assistantText, endsWithFinal, finalTexts, isSaid } from './shown-text.ts'
import { validateMessages } from '../validation/validate-messages.ts'

/**
 * What a run is graded by:
 * - `completed`: it ended as expected, which is completed unless the table says otherwise
 * - `exactlyOnce`: each tool with side effects ran once, or at most once if the run did not complete
 * - `exactText`: what is shown is the text of the history and what the model said, neither doubled nor short
 * - `silence`: a completed run has the model's final answer in its history, and all its side effects
 * - `history`: the API accepts the messages with another user message behind them
 * - `typedError`: a failed run has an error with a code, a message and `retryable`, and a completed one has none
 * - `noHang`: it ended before the timeout
 * - `noLeak`: no key, upstream body, stack or path reached a client
 * - `noResidue`: no request open, no timer on the job's clock, no unhandled rejection
 */
export const columns = [
  'completed',
  'exactlyOnce',
  'exactText',
  'silence',
  'history',
  'typedError',
  'noHang',
  'noLeak',
  'noResidue',
] as const

export type Column = (typeof columns)[number]

/** What was wrong, by column. A column without a finding was in order. */
export type Findings = { [Name in Column]?: string }

/** All that is known of a run that ended by itself. */
export interface RunEvidence {
  readonly job: Job
  readonly layout: Layout
  readonly report: LoopReport
  readonly productions: readonly Production[]
  readonly runs: ReadonlyMap<string, number>
  /**
   * Whether the model itself ended a turn in an odd way. A run that believes it may be done without the final answer,
   * so only what it did and showed is graded.
   */
  readonly isOddAnswer: boolean
}

/** Returns the findings that can be read off the report. */
export function gradeReport(evidence: RunEvidence): Findings {
  const { report, job } = evidence
  const shapeProblem = reportProblem(report)
  if (shapeProblem !== undefined) return { typedError: shapeProblem }
  const findings: Findings = {}
  const note = (column: Column, problem: string | undefined): void => {
    if (problem !== undefined) findings[column] = problem
  }
  note('exactlyOnce', onceProblem(evidence))
  note('exactText', textProblem(evidence))
  note('silence', silenceProblem(evidence))
  note('history', historyProblem(evidence))
  note('typedError', errorProblem(report))
  const leaks = findLeaks([...report.clientFacing, report.shown, report.error], job.apiKey)
  note('noLeak', leaks.length === 0 ? undefined : `${leaks.join(', ')} reached a client`)
  return findings
}

function reportProblem(report: LoopReport): string | undefined {
  const value: unknown = report
  if (!isObject(value)) return 'the loop returned no report'
  const isWhole =
    isString(value.outcome) &&
    isString(value.shown) &&
    isString(value.text) &&
    Array.isArray(value.messages) &&
    Array.isArray(value.clientFacing)
  return isWhole ? undefined : 'the report lacks outcome, shown, text, messages or clientFacing'
}

function onceProblem({ layout, runs, report, isOddAnswer }: RunEvidence): string | undefined {
  for (const { name, readOnly } of layout.tools) {
    const count = runs.get(name) ?? 0
    if (readOnly) continue
    if (count > 1) return `${name} ran ${count} times`
    if (count === 0 && report.outcome === 'completed' && !isOddAnswer) return `${name} never ran`
  }
  return undefined
}

function textProblem({ job, report, productions, isOddAnswer }: RunEvidence): string | undefined {
  const whole = assistantText(report.messages, job.messages.length)
  if (report.shown !== whole) return `shown ${quote(report.shown)}, history has ${quote(whole)}`
  if (report.text !== whole && !finalTexts(report.messages).includes(report.text)) {
    return `returned ${quote(report.text)}, history has ${quote(whole)}`
  }
  const isComplete = report.outcome === 'completed' && !isOddAnswer
  return isSaid(report.shown, productions, { isComplete, mayRepeat: isOddAnswer })
    ? undefined
    : `${quote(report.shown)} is not what the model said`
}

function silenceProblem({ job, layout, report, productions, runs, isOddAnswer }: RunEvidence): string | undefined {
  if (report.outcome !== 'completed' || isOddAnswer) return undefined
  const arrived = assistantText(report.messages, job.messages.length)
  if (!endsWithFinal(arrived, productions)) return 'completed without the final answer'
  const undone = layout.tools.find(({ name, readOnly }) => !readOnly && (runs.get(name) ?? 0) === 0)
  return undone === undefined ? undefined : `completed without ${undone.name}`
}

function historyProblem({ report }: RunEvidence): string | undefined {
  return validateMessages([...report.messages, { role: 'user', content: 'Thank you. And now?' }])?.message
}

function errorProblem({ outcome, error }: LoopReport): string | undefined {
  if (outcome === 'completed') return error === undefined ? undefined : 'completed with an error'
  if (error === undefined) return outcome === 'failed' ? 'failed without an error' : undefined
  const value: unknown = error
  const isTyped =
    isObject(value) &&
    isString(value.code) &&
    value.code !== '' &&
    isString(value.message) &&
    value.message !== '' &&
    typeof value.retryable === 'boolean'
  return isTyped ? undefined : 'the error lacks code, message or retryable'
}

function quote(text: string): string {
  return JSON.stringify(text.length <= 160 ? text : `${text.slice(0, 160)}…`)
}
