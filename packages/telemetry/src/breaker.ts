import type { CircuitBreaker, CircuitState } from '@millrace/core'
import type { Guard } from './guard.ts'
import type { Recorder } from './meter.ts'

/**
 * Keeps the metric of the breaker's state: 1 for its current state. Returns a function that stops this and sets the state
 * back to 0.
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
  // The first value announces the provider, which records the 1.
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
