import type { ToolFinished } from '../protocol/events.ts'

/** Calls of a committed turn, some of which may have been running when their process died. */
export interface RecoveredCalls {
  /** Calls whose result is known. */
  readonly settled: ReadonlyMap<string, Pick<ToolFinished, 'outcome' | 'result'>>
  /** Calls whose start is stored. */
  readonly started: ReadonlySet<string>
}
