import type { AgentEvent, RunRecord, RunStore } from '@millrace/core'

export function recordOf(runId: string): RunRecord {
  return { runId, messages: [{ role: 'user', content: 'hello' }], createdAt: 1_780_000_000_000 }
}

/** Deltas `from` to `to`, each with a text that says whose it is and which. */
export function deltas(runId: string, from: number, to: number, filler = ''): AgentEvent[] {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    type: 'text.delta',
    seq: from + index,
    runId,
    at: 1_780_000_000_000,
    turn: 1,
    attempt: 1,
    block: 0,
    text: `${runId} ${from + index}${filler}`,
  }))
}

/** All that is stored of a run now. */
export async function storedEvents(runs: RunStore, runId: string): Promise<AgentEvent[]> {
  const { tail = 0 } = (await runs.snapshot(runId)) ?? {}
  const events: AgentEvent[] = []
  if (tail === 0) return events
  for await (const batch of runs.read(runId, 0)) {
    events.push(...batch)
    if (events.length >= tail) break
  }
  return events
}
