import type { Clock } from '@millrace/core'
import { linkedController, timeLimit } from '@millrace/core/kit'

/** Where the last good answer of a server is kept, for a process that starts while the server is down. */
export interface LastKnownGood {
  /** What was saved last, undefined where nothing was. */
  load(signal: AbortSignal): Promise<string | undefined>
  save(text: string, signal: AbortSignal): Promise<void>
}

/** A disk that takes longer is not waited for. */
const patience = 1000

/** Loads, and never rejects or hangs: what cannot be loaded counts as not saved. */
export async function loadPatiently(
  store: LastKnownGood | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (store === undefined) return undefined
  const closing = linkedController(signal)
  const limit = timeLimit(clock, patience)
  try {
    return await closing.race(Promise.race([store.load(signal), limit.over]))
  } catch {
    return undefined
  } finally {
    limit.cancel()
    closing.dispose()
  }
}
