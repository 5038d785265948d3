import type { CircuitBreaker, CircuitState } from '@millrace/core'
import type { Guard } from './guard.ts'
import type { Recorder } from './meter.ts'

/**
 * Keeps the metric of the breaker's state: 1 for the state that it is in. Gives a function that ends it, and takes the 1
 * away.
 */
export function watchBreaker(
  breaker: CircuitBreaker,
  recorder: Recorder | undefined,
  guard: Guard,
  onChange: (from: CircuitState, to: CircuitState) => void,
): () => void {
  let state = breaker.state
  const add = (of: CircuitState, by: number): void =>
    guard('meter', () => recorder?.record('breakerState', by, { state: of }))
  recorder?.onRenewal(() => add(state, 1))
  // The first value renews the provider, and so makes the 1.
  add(state, 0)
  const stop = breaker.onChange((to) => {
    const from = state
    add(from, -1)
    add(to, 1)
    state = to
    onChange(from, to)
  })
  return () => {
    stop()
    add(state, -1)
  }
}
