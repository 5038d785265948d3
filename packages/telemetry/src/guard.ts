import { MillraceError } from '@millrace/core'

/** The receiver of a guarded call, as the warning names it. */
export type GuardedPart = 'logger' | 'meter' | 'telemetry' | 'tracer'

/** Calls a function that may throw or reject. Returns undefined if it does. */
export type Guard = <T>(part: GuardedPart, call: () => T) => T | undefined

/**
 * Telemetry never fails a run: whatever a meter, tracer or logger throws or rejects with ends here. Only the first failure
 * of each is reported, because one that fails for every event would otherwise flood `onWarning`.
 */
export function createGuard(report: ((error: MillraceError) => void) | undefined): Guard {
  const reported = new Set<GuardedPart>()

  function fail(part: GuardedPart, cause: unknown): void {
    if (reported.has(part)) return
    reported.add(part)
    try {
      report?.(new MillraceError('middleware_failed', `Telemetry: the ${part} failed`, { cause }))
    } catch {
      // The warning callback itself threw. Nothing is left to report to, so ignore it.
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

/** Handles the rejection of an asynchronous logger, which would end the process if it were unhandled. */
function isThenable(value: unknown): value is { then(done: undefined, failed: (cause: unknown) => void): unknown } {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
