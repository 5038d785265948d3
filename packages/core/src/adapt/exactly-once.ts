import { aClock, aDelay, aFunction, checkOptions, withMethods } from '../kit/checks.ts'
import { type Clock, systemClock } from '../kit/clock.ts'
import { MillraceError } from '../kit/errors.ts'
import { isRecord } from '../kit/guards.ts'
import type { StateStore } from '../stores/state-store.ts'
import { callEntries, type SettledEntry } from './call-entries.ts'

/** Whether a call took effect, and what it returned if it did. Undefined: cannot be told. */
export type CallReconciliation<R> =
  | { readonly happened: true; readonly result: R }
  | { readonly happened: false }
  | undefined

export interface ExactlyOnceOptions<Args extends unknown[], R> {
  /** Where calls are kept: a store that all processes share, and that outlives them. */
  readonly store: StateStore
  /** Names the call: the same for each attempt at it, another one for each other call. Such as the id of the tool use. */
  readonly key: (...args: Args) => string
  /** Says whether a call of unknown outcome happened. Without it, such a call is refused. */
  readonly reconcile?: (...args: Args) => CallReconciliation<R> | Promise<CallReconciliation<R>>
  /**
   * Milliseconds after which a call whose process gives no sign of life counts as crashed; it gives one three times in
   * that span. Default: 30,000.
   */
  readonly leaseMs?: number
  /** Default: the system's. Clocks of processes must agree to within a part of `leaseMs`. */
  readonly clock?: Clock
}

const rules = {
  store: withMethods('get', 'set', 'watch'),
  key: aFunction,
  reconcile: aFunction,
  leaseMs: aDelay(3),
  clock: aClock,
}

/**
 * Wraps a tool of any loop so that each call, named by its key, has its effect at most once: whatever is tried again, in
 * this process or another, after a crash too. A call that was made is answered with its result, as JSON keeps it. A call
 * that another process is making is waited for.
 *
 * A call that began and has no known end (its process died, or the tool threw) is of unknown outcome. `reconcile` is then
 * asked; if it cannot tell, the call is not made, and the tool rejects with `tool_outcome_unknown` each time. Throw a
 * `ToolError` from the tool to say that nothing happened: the call may then be made again.
 *
 * The tool does not start where the store fails (`store_unavailable`).
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function exactlyOnce<Args extends unknown[], R>(
  tool: (...args: Args) => R | Promise<R>,
  options: ExactlyOnceOptions<Args, R>,
): (...args: Args) => Promise<R> {
  checkOptions(options, '', rules)
  aFunction(tool, 'tool')
  const { store, key, reconcile, leaseMs = 30_000, clock = systemClock } = options
  const entries = callEntries({ store, clock, leaseMs })

  /** Undefined where another call was faster. */
  async function make(callKey: string, version: number, args: Args): Promise<{ readonly result: R } | undefined> {
    const call = await entries.start(callKey, version)
    if (call === undefined) return undefined
    try {
      const result = await tool(...args)
      await call.end(doneWith(result))
      return { result }
    } catch (error) {
      await call.end({ state: saysNothingHappened(error) ? 'free' : 'unknown' })
      throw error
    }
  }

  return async (...args) => {
    const callKey = key(...args)
    if (typeof callKey !== 'string' || callKey === '')
      throw new MillraceError('invalid_input', 'key must give a string that is not empty', { path: 'key' })
    for (;;) {
      const { entry, version } = await entries.settled(callKey)
      if (entry.state === 'done') {
        const { result }: { readonly result: R } = JSON.parse(entry.json)
        return result
      }
      if (entry.state === 'free') {
        const made = await make(callKey, version, args)
        if (made) return made.result
        continue
      }
      const known = entryOf(await reconcile?.(...args))
      // What began it may still write its end: from here on it is told that it is not the last.
      if (!(await entries.replace(callKey, version, known))) continue
      if (known.state === 'unknown') throw outcomeUnknown(callKey)
    }
  }
}

/** The operator's hook permits a second call by the one documented value alone. */
function entryOf(found: CallReconciliation<unknown>): SettledEntry {
  const happened: unknown = found?.happened
  if (happened === false) return { state: 'free' }
  return happened === true && found?.happened ? doneWith(found.result) : { state: 'unknown' }
}

/** A result that is no JSON cannot be given again: a second call is then of unknown outcome. */
function doneWith(result: unknown): { readonly state: 'done'; readonly json: string } | { readonly state: 'unknown' } {
  try {
    return { state: 'done', json: JSON.stringify({ result }) }
  } catch {
    return { state: 'unknown' }
  }
}

/** Whatever else a tool throws, its request may have arrived. Not `instanceof`: there may be two copies of the package. */
function saysNothingHappened(error: unknown): boolean {
  return isRecord(error) && error['name'] === 'ToolError' && error['outcome'] !== 'unknown'
}

function outcomeUnknown(key: string): MillraceError {
  return new MillraceError(
    'tool_outcome_unknown',
    `the call "${key}" was begun before, and it is unknown whether it took effect; it was not made again`,
  )
}
