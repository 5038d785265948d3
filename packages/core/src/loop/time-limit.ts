import { MillraceError } from '../kit/errors.ts'
import type { RunContext } from './run-context.ts'

/** Does `work`, and stops the run if that takes longer than the limit allows. */
export async function withinLimit<T>(
  { settings: { limits, runtime }, handle, state }: RunContext,
  name: 'turnTime' | 'runTime',
  work: () => Promise<T>,
): Promise<T> {
  const limit = limits[name]
  if (limit === undefined) return work()
  const cancel = runtime.clock.setTimer(() => {
    // A run that was interrupted already ends as interrupted.
    if (handle.signal.aborted) return
    const path = `limits.${name}`
    state.overdue = new MillraceError('time_limit', `the run reached ${path}, ${limit} ms`, { path })
    handle.interrupt(state.overdue.message)
  }, limit)
  try {
    return await work()
  } finally {
    cancel()
  }
}
