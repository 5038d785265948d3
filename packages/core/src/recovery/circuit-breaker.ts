import { aClock, aCount, aDelay, checkOptions, rule } from '../kit/checks.ts'
import { type Clock, systemClock } from '../kit/clock.ts'
import type { MillraceError } from '../kit/errors.ts'
import { guarded } from '../kit/hooks.ts'
import { isStreamFault } from '../protocol/faults.ts'

export interface CircuitBreakerOptions {
  /** Default: the platform's. */
  readonly clock?: Clock
  /** Opens when this share of the attempts in the window failed. Default: 0.5. */
  readonly failureRatio?: number
  /** … once there were this many. Default: 10. */
  readonly minimumAttempts?: number
  /** Milliseconds. Default: 30,000. */
  readonly window?: number
  /** Milliseconds that it stays open before one attempt may probe. Default: 30,000. */
  readonly cooldown?: number
}

const rules = {
  clock: aClock,
  failureRatio: rule((value) => typeof value === 'number' && value > 0, 'must be a number above 0'),
  minimumAttempts: aCount(1),
  window: aDelay(),
  cooldown: aDelay(),
}

export type CircuitState = 'closed' | 'open' | 'half_open'

/** The outcome of one permitted attempt; the first call counts. */
export interface CircuitPermit {
  succeeded(): void
  failed(): void
  /** It says nothing: interrupted, or failed for a reason that is not the stream's. */
  released(): void
}

/**
 * Leaves the stream rung out while streams fail. Give one to several agents that share a path to the model API;
 * without, each agent has its own.
 */
export interface CircuitBreaker {
  /** A permit to stream, or undefined where the turn should go without. */
  permit(): CircuitPermit | undefined
  readonly state: CircuitState
  /** Calls `listener` on each change of state, until the function it gives is called. */
  onChange(listener: (state: CircuitState) => void): () => void
}

/**
 * Creates a circuit breaker, closed.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function createCircuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  checkOptions(options, '', rules)
  const { clock = systemClock, failureRatio = 0.5, minimumAttempts = 10, window = 30_000, cooldown = 30_000 } = options
  const listeners = new Set<(state: CircuitState) => void>()
  let state: CircuitState = 'closed'
  let openedAt = 0
  let probing = false
  let windowStart = clock.now()
  let attempts = 0
  let failures = 0

  function change(next: CircuitState): void {
    if (state === next) return
    state = next
    // The breaker has no run to report a listener's failure to.
    for (const listener of listeners)
      guarded(
        () => listener(next),
        () => {},
      )
  }

  function reset(): void {
    windowStart = clock.now()
    attempts = 0
    failures = 0
  }

  function trip(): void {
    openedAt = clock.now()
    reset()
    change('open')
  }

  function count(failed: boolean): void {
    if (state !== 'closed') return
    if (clock.now() - windowStart > window) reset()
    attempts += 1
    if (failed) failures += 1
    if (attempts >= minimumAttempts && failures / attempts >= failureRatio) trip()
  }

  function once(isProbe: boolean): CircuitPermit {
    let settled = false
    const settle = (act: () => void): void => {
      if (settled) return
      settled = true
      if (isProbe) probing = false
      act()
    }
    return {
      succeeded: () =>
        settle(() => {
          if (!isProbe) return count(false)
          reset()
          change('closed')
        }),
      failed: () => settle(() => (isProbe ? trip() : count(true))),
      released: () => settle(() => {}),
    }
  }

  return {
    permit() {
      if (state === 'closed') return once(false)
      if (state === 'open' && clock.now() - openedAt >= cooldown) change('half_open')
      if (state !== 'half_open' || probing) return undefined
      probing = true
      return once(true)
    },
    get state() {
      return state
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/** How an attempt ended, as the circuit breaker looks at it. */
export type PermittedEnd =
  | { readonly status: 'whole' | 'interrupted' }
  | { readonly status: 'broken'; readonly error: MillraceError }

/** Tells the circuit breaker how the attempt ended that `permit`, if there is one, was given for. */
export function settlePermit(permit: CircuitPermit | undefined, end: PermittedEnd): void {
  if (end.status === 'whole') permit?.succeeded()
  else if (end.status === 'broken' && isStreamFault(end.error)) permit?.failed()
  else permit?.released()
}
