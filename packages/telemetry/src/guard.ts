import { MillraceError } from '@millrace/core'

/** Whom a call goes to that must not matter. */
export type GuardedPart = 'logger' | 'meter' | 'telemetry' | 'tracer'

/** Calls what may throw or reject, and gives undefined then. */
export type Guard = <T>(part: GuardedPart, call: () => T) => T | undefined

/**
 * Telemetry is a bystander: whatever a meter, tracer or logger throws or rejects with ends here. Of each, the first
 * failure is reported; one that fails a thousand times a second would else be told of as often.
 */
export function createGuard(report: ((error: MillraceError) => void) | undefined): Guard {
  const reported = new Set<GuardedPart>()

  function fail(part: GuardedPart, cause: unknown): void {
    if (reported.has(part)) return
    reported.add(part)
    try {
      report?.(new MillraceError('middleware_failed', `Telemetry: the ${part} failed`, { cause }))
    } catch {
      // Whoever is told of failures has failed: there is nobody left to tell.
    }
  }

  return (part, call) => {
    try {
      const given = call()
      if (isThenable(given)) given.then(undefined, (cause) => fail(part, cause))
      return given
    } catch (cause) {
      fail(part, cause)
      return undefined
    }
  }
}

/** A logger may be asynchronous: a rejection that nobody hears ends the process. */
function isThenable(value: unknown): value is { then(done: undefined, failed: (cause: unknown) => void): unknown } {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
