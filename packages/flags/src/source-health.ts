import type { Clock } from '@millrace/core'
import { createAgeWatch } from './age-watch.ts'
import type { FlagIssue } from './issues.ts'
import type { FlagProblem, FlagSource, SourceDescription } from './source.ts'
import { createSourceEvents } from './source-events.ts'

export interface SourceHealthOptions {
  /** Shown in errors. */
  readonly name: string
  readonly clock: Clock
  /** Milliseconds without confirmation after which what a source knows is stale. `Infinity`: never. */
  readonly maxAge: number
}

/** Whether a source works and how old its knowledge is. Tells its listeners, and those who wait for the first flags. */
export interface SourceHealth {
  readonly onChange: FlagSource['onChange']
  readonly ready: FlagSource['ready']
  /** What the source knows held at `asOf`. `problem` is what is wrong with it all the same. */
  prosper(asOf: number, problem?: FlagProblem): void
  /** These flags may evaluate differently from now on. */
  change(flags: readonly string[]): void
  /** An update could not be fetched, or was refused. Returns the problem. */
  fail(code: FlagProblem['code'], message: string, issues?: readonly FlagIssue[]): FlagProblem
  /** Returns whether knowledge that held at `asOf` is stale; by default, the newest. */
  isStale(asOf?: number): boolean
  describe(): Pick<SourceDescription, 'status' | 'asOf' | 'ageMs' | 'problem'>
  close(): void
}

/** Makes the health of a source that knows nothing yet. */
export function createSourceHealth({ name, clock, maxAge }: SourceHealthOptions): SourceHealth {
  const events = createSourceEvents(name)
  let newest: number | undefined
  let current: FlagProblem | undefined
  let reportedStale = false
  let closed = false
  const age = createAgeWatch(clock, maxAge, (ageMs) => {
    if (reportedStale) return
    reportedStale = true
    events.emit({ type: 'stale', ageMs })
  })
  const isStale = (asOf = newest): boolean => asOf !== undefined && age.isStale(asOf)
  const status = (): SourceDescription['status'] => {
    if (closed) return 'closed'
    if (newest === undefined) return current === undefined ? 'starting' : 'failed'
    return isStale() ? 'stale' : 'ready'
  }
  return {
    onChange: events.onChange,
    ready: events.ready,
    prosper(asOf, problem) {
      if (closed) return
      const first = newest === undefined
      const before = current
      const recovered = reportedStale || (before !== undefined && !isSame(before, problem))
      newest = asOf
      current = problem
      reportedStale = false
      if (recovered) events.emit({ type: 'recovered' })
      if (problem !== undefined && (recovered || !isSame(before, problem))) events.emit({ type: 'failed', problem })
      if (first) {
        events.settle()
        events.emit({ type: 'ready' })
      }
      // Knowledge from yesterday, such as the last known good of a disk, is reported as stale at once.
      age.follow(asOf)
    },
    change(flags) {
      if (!closed && flags.length > 0) events.emit({ type: 'changed', flags })
    },
    fail(code, message, issues = []) {
      const problem = { at: clock.now(), code, message, issues }
      if (closed) return problem
      const before = current
      current = problem
      events.fail(problem)
      // A poll that fails in the same way every time is one event.
      if (!isSame(before, problem)) events.emit({ type: 'failed', problem })
      return problem
    },
    isStale,
    describe: () => ({
      status: status(),
      ...(newest !== undefined && { asOf: newest, ageMs: clock.now() - newest }),
      ...(current !== undefined && { problem: current }),
    }),
    close() {
      closed = true
      age.stop()
      events.close()
    },
  }
}

function isSame(one: FlagProblem | undefined, other: FlagProblem | undefined): boolean {
  return one?.code === other?.code && one?.message === other?.message
}
