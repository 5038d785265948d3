import type { ToolProgress } from '@millrace/core'
import { aRecordOf, rule } from '@millrace/core/kit'
import { readReport } from './report.ts'

/** Receives progress: `context.progress` of a tool, or a step of {@link nested}. */
export type ProgressSink = (report: ToolProgress) => void

/** The sink of one step. */
export interface ProgressStep {
  (report: ToolProgress): void
  /** Counts the step as done, even if it never had a total. */
  finish(message?: string): void
}

const checkWeights = aRecordOf(
  rule((weight) => Number.isFinite(weight) && Number(weight) > 0, 'must be a number above 0'),
)

/**
 * Divides `progress` among steps by weight: with `{ download: 3, install: 1 }`, a finished download is 3 of 4. A step
 * reports in its own unit, with its own total. Without a total it counts only once it is finished. Message and data pass
 * through. A step is a sink itself and can be divided again.
 *
 * @param weights the weight of each step by its name, each above 0
 * @throws MillraceError `invalid_option`
 */
export function nested<Name extends string>(
  progress: ProgressSink,
  weights: Readonly<Record<Name, number>>,
): Readonly<Record<Name, ProgressStep>> {
  checkWeights(weights, 'weights')
  const parts = Object.entries<number>(weights)
  const total = parts.reduce((sum, [, weight]) => sum + weight, 0)
  const done = new Map(parts.map(([name]) => [name, 0]))

  function send(name: string, weight: number, part: number, rest: ToolProgress): void {
    done.set(name, Math.max(done.get(name) ?? 0, weight * Math.min(1, part)))
    // Added in the same order as `total`, so that the sum of all finished steps is exactly the total.
    const sum = parts.reduce((before, [each]) => before + (done.get(each) ?? 0), 0)
    progress({ ...rest, progress: sum, total })
  }

  const makeStep = (name: string, weight: number): ProgressStep =>
    Object.assign(
      (report: ToolProgress) => {
        const { progress: at = 0, total: of, ...rest } = readReport(report)
        send(name, weight, of === undefined ? 0 : at / of, rest)
      },
      { finish: (message?: string) => send(name, weight, 1, message === undefined ? {} : { message }) },
    )

  const steps: Readonly<Record<string, ProgressStep>> = Object.fromEntries(
    parts.map(([name, weight]) => [name, makeStep(name, weight)]),
  )
  const isComplete = (made: typeof steps): made is Readonly<Record<Name, ProgressStep>> =>
    Object.keys(weights).every((name) => Object.hasOwn(made, name))
  if (!isComplete(steps)) throw new TypeError('unreachable')
  return steps
}
