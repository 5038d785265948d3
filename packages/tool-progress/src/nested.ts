import { MillraceError, type ToolProgress } from '@millrace/core'
import { readReport } from './report.ts'

/** Where progress is reported to: `context.progress` of a tool, or a step of {@link nested}. */
export type ProgressSink = (report: ToolProgress) => void

/** The sink of one step. */
export interface ProgressStep {
  (report: ToolProgress): void
  /** Counts the step as done, also one that has no total. */
  finish(message?: string): void
}

/**
 * Divides `progress` among steps by weight: with `{ download: 3, install: 1 }` a finished download stands at 3 of 4. A
 * step reports in its own unit, with its own total; without a total it counts only once it is finished. Message and data
 * pass through. A step is itself a sink, and may be divided again.
 *
 * @param weights step name to weight, each above 0
 * @throws MillraceError `invalid_option`
 */
export function nested<Name extends string>(
  progress: ProgressSink,
  weights: Readonly<Record<Name, number>>,
): Readonly<Record<Name, ProgressStep>>
export function nested(
  progress: ProgressSink,
  weights: Readonly<Record<string, number>>,
): Readonly<Record<string, ProgressStep>> {
  const names = Object.keys(weights)
  const done = new Map<string, number>()
  let total = 0
  for (const [name, weight] of Object.entries(weights)) {
    if (!(Number.isFinite(weight) && weight > 0)) {
      throw new MillraceError('invalid_option', `nested: the weight of "${name}" must be a number above 0`, {
        path: `weights.${name}`,
      })
    }
    total += weight
    done.set(name, 0)
  }

  function send(name: string, weight: number, part: number, rest: ToolProgress): void {
    done.set(name, Math.max(done.get(name) ?? 0, weight * Math.min(1, part)))
    // Summed in the order of `total`, so that all steps done is exactly the total.
    const sum = names.reduce((at, each) => at + (done.get(each) ?? 0), 0)
    progress({ ...rest, progress: sum, total })
  }

  const step = (name: string, weight: number): ProgressStep =>
    Object.assign(
      (report: ToolProgress) => {
        const { progress: at = 0, total: of, ...rest } = readReport(report)
        send(name, weight, of === undefined ? 0 : at / of, rest)
      },
      { finish: (message?: string) => send(name, weight, 1, message === undefined ? {} : { message }) },
    )

  return Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, step(name, weight)]))
}
