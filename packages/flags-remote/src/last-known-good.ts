import type { Clock } from '@millrace/core'
import { linkedController, timeLimit } from '@millrace/core/kit'

/** Stores the last good answer of a server, for a process that starts while the server is down. */
export interface LastKnownGood {
  /** Resolves with what was saved last, or undefined if nothing was. */
  load(signal: AbortSignal): Promise<string | undefined>
  save(text: string, signal: AbortSignal): Promise<void>
}

/** The longest time to wait for a disk, in milliseconds. */
const patience = 1000

/** Loads what was saved. Never rejects or hangs: what cannot be loaded counts as not saved. */
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
