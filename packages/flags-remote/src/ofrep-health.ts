import type { Clock } from '@millrace/core'
import type { FlagProblem, SourceDescription, SourceEvents } from '@millrace/flags'

/** Whether the server answers, and who is told. */
export interface OfrepHealth {
  /** A good answer came; `changed` are the flags that differ from the answer before. */
  prosper(changed: readonly string[]): void
  /** What was saved by an earlier process is there, as good as it was then. */
  restore(asOf: number): void
  fail(code: FlagProblem['code'], message: string): void
  isStale(asOf: number): boolean
  describe(): Pick<SourceDescription, 'status' | 'asOf' | 'ageMs' | 'problem'>
}

/** Keeps the books of one source. Staleness is noticed at each failure: there is one at every poll. */
export function createOfrepHealth(clock: Clock, maxAge: number, events: SourceEvents): OfrepHealth {
  let asOf: number | undefined
  let problem: FlagProblem | undefined
  let toldStale = false
  const isStale = (time: number): boolean => clock.now() - time > maxAge
  const noticeAge = (): void => {
    if (asOf === undefined || toldStale || !isStale(asOf)) return
    toldStale = true
    events.emit({ type: 'stale', ageMs: clock.now() - asOf })
  }
  const begin = (): void => {
    events.settle()
    events.emit({ type: 'ready' })
  }
  return {
    isStale,
    prosper(changed) {
      const first = asOf === undefined
      const recovered = problem !== undefined || toldStale
      asOf = clock.now()
      problem = undefined
      toldStale = false
      if (recovered) events.emit({ type: 'recovered' })
      if (first) begin()
      if (changed.length > 0) events.emit({ type: 'changed', flags: changed })
    },
    restore(time) {
      asOf = Math.min(time, clock.now())
      begin()
      noticeAge()
    },
    fail(code, message) {
      const repeated = problem?.code === code && problem.message === message
      problem = { at: clock.now(), code, message, issues: [] }
      events.fail(problem)
      if (!repeated) events.emit({ type: 'failed', problem })
      noticeAge()
    },
    describe() {
      const failing = problem === undefined ? 'starting' : 'failed'
      return {
        status: asOf === undefined ? failing : isStale(asOf) ? 'stale' : 'ready',
        ...(asOf !== undefined && { asOf, ageMs: clock.now() - asOf }),
        ...(problem !== undefined && { problem }),
      }
    },
  }
}
