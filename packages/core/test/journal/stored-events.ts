import type { AgentEvent, RunStore } from '../../src/index.ts'

/** The events of a run that are stored now, of an open run too. */
export async function storedEvents(store: RunStore, runId: string): Promise<AgentEvent[]> {
  const { tail = 0 } = (await store.snapshot(runId)) ?? {}
  const events: AgentEvent[] = []
  if (tail === 0) return events
  for await (const batch of store.read(runId, 0)) {
    events.push(...batch)
    if (events.length >= tail) break
  }
  return events
}
