import { MillraceError } from '@millrace/core'
import type { FlagProblem, FlagSource, FlagSourceEvent } from './source.ts'

/** The listeners of a source, and those who wait for its first flags. */
export interface SourceEvents {
  readonly onChange: FlagSource['onChange']
  readonly ready: FlagSource['ready']
  emit(event: FlagSourceEvent): void
  /** The first flags are there. `ready` resolves from now on. */
  settle(): void
  /** The first attempt failed. `ready` rejects until {@link SourceEvents.settle}. */
  fail(problem: FlagProblem): void
  /** Rejects every `ready` that is waiting, and calls no listener any more. */
  close(): void
}

type Waiter = (error?: MillraceError) => void

/** Makes the events of the source `name`. */
export function createSourceEvents(name: string): SourceEvents {
  const listeners = new Set<(event: FlagSourceEvent) => void>()
  const waiters = new Set<Waiter>()
  let settled = false
  let failure: MillraceError | undefined
  const release = (error?: MillraceError): void => {
    for (const waiter of waiters) waiter(error)
  }
  return {
    onChange(listener) {
      // A wrapper, so that the same function added twice is two subscriptions.
      const entry = (event: FlagSourceEvent): void => listener(event)
      listeners.add(entry)
      return () => void listeners.delete(entry)
    },
    ready(signal) {
      if (signal?.aborted === true) return Promise.reject(toError(signal.reason))
      if (settled) return Promise.resolve()
      if (failure !== undefined) return Promise.reject(failure)
      return new Promise<void>((resolve, reject) => {
        const leave = (): void => {
          waiters.delete(waiter)
          signal?.removeEventListener('abort', abort)
        }
        const waiter: Waiter = (error) => {
          leave()
          if (error === undefined) resolve()
          else reject(error)
        }
        const abort = (): void => {
          leave()
          reject(toError(signal?.reason))
        }
        waiters.add(waiter)
        signal?.addEventListener('abort', abort, { once: true })
      })
    },
    emit(event) {
      for (const listener of listeners) {
        try {
          listener(event)
        } catch {
          // A listener must not affect the flags, and there is nobody to report its error to.
        }
      }
    },
    settle() {
      settled = true
      failure = undefined
      release()
    },
    fail(problem) {
      if (settled) return
      failure = new MillraceError('flag_failed', `flag source "${name}": ${problem.message}`, { retryable: true })
      release(failure)
    },
    close() {
      listeners.clear()
      if (settled) return
      failure = new MillraceError('flag_failed', `flag source "${name}" was closed`)
      release(failure)
    },
  }
}

function toError(reason: unknown): Error {
  return reason instanceof Error
    ? reason
    : new MillraceError('aborted', 'waiting for flags was aborted', { cause: reason })
}
