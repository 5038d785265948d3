import { type Clock, MillraceError } from '@millrace/core'
import { timeLimit } from '@millrace/core/kit'
import { internalProblem, ProblemError, storeProblem } from '../http/problem.ts'

/** Where an error comes from. */
export interface ErrorInfo {
  /** The run that it concerns, once its id is known. */
  readonly runId?: string
  /** What failed: an option such as `authorize`, a method of a store such as `runs.snapshot`, `run`, or `drain`. */
  readonly source?: string
}

export type OnError = (error: unknown, info: ErrorInfo) => void | Promise<void>

/**
 * The one place where code of the operator is called. Whatever it does, throw, reject or never answer, the request gets an
 * answer, the operator is told once, and the process lives.
 */
export interface Hooks {
  /** Tells `onError`. Never throws. A ProblemError is left out: its cause was reported where it was made. */
  report(error: unknown, info: ErrorInfo): void
  /**
   * Calls an option that is a function, and reads its answer by `read`, which throws where the answer is wrong.
   *
   * @throws ProblemError `internal`
   */
  ask<Answer>(
    source: string,
    call: () => unknown,
    read: (answer: unknown) => Answer,
    info?: Pick<ErrorInfo, 'runId'>,
  ): Promise<Answer>
  /** Calls a store. @throws ProblemError `store_unavailable` */
  store<Answer>(source: string, call: () => Promise<Answer>, info?: Pick<ErrorInfo, 'runId'>): Promise<Answer>
}

export interface HookOptions {
  readonly onError: OnError
  readonly clock: Clock
  /** Milliseconds that a hook may take. */
  readonly hookTimeout: number
}

export function createHooks({ onError, clock, hookTimeout }: HookOptions): Hooks {
  function report(error: unknown, info: ErrorInfo): void {
    if (!(error instanceof ProblemError)) void tell(onError, error, info)
  }

  return {
    report,
    async ask(source, call, read, info = {}) {
      const limit = timeLimit(clock, hookTimeout)
      try {
        const late = limit.over.then(() => {
          throw new MillraceError('invalid_option', `${source} did not answer within ${hookTimeout} ms`, {
            path: source,
          })
        })
        return read(await Promise.race([attempt(call), late]))
      } catch (error) {
        report(error, { ...info, source })
        throw internalProblem()
      } finally {
        limit.cancel()
      }
    },
    async store(source, call, info = {}) {
      try {
        return await call()
      } catch (error) {
        report(error, { ...info, source })
        throw storeProblem()
      }
    },
  }
}

async function attempt(call: () => unknown): Promise<unknown> {
  return call()
}

async function tell(onError: OnError, error: unknown, info: ErrorInfo): Promise<void> {
  try {
    await onError(error, info)
  } catch {
    // The error callback itself failed. Nothing is left to report to.
  }
}

/** The default of `onError`: without it, an operator who gave none would never learn of a 500. */
export function logError(error: unknown, { source = 'handler', runId }: ErrorInfo): void {
  const run = runId === undefined ? '' : `, run ${runId}`
  // oxlint-disable-next-line no-console -- the one place where a library prints
  console.error(`millrace: ${source} failed${run}:`, error)
}
