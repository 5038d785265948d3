import type { AgentEvent } from '@millrace/core'

/** Batches of events, as they arrive. */
export type EventBatches = AsyncIterable<readonly AgentEvent[]>

/**
 * Holds the last event of a run back until `settled`: a client that has seen the end asks for the next run at once, and
 * the session must then be free and hold what this one added.
 */
export async function* untilSettled(batches: EventBatches, settled: () => Promise<unknown> | undefined): EventBatches {
  for await (const batch of batches) {
    const last = batch.at(-1)
    if (last?.type !== 'run.finished') {
      yield batch
      continue
    }
    if (batch.length > 1) yield batch.slice(0, -1)
    await settled()
    yield [last]
  }
}
