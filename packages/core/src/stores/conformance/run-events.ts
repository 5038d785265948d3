import type { AgentEvent } from '../../protocol/events.ts'
import type { RunRecord } from '../run-store.ts'

export const runId = 'run-1'

export function recordOf(id: string = runId): RunRecord {
  return {
    runId: id,
    sessionId: 'session-1',
    owner: 'ada',
    messages: [{ role: 'user', content: 'hello\n\u0000\u2028\u{1f600}' }],
    createdAt: 1_780_000_000_000,
    metadata: { tenant: 'blue' },
  }
}

/** Deltas `from` to `to`; the text says whose they are. */
export function deltas(from: number, to: number, writer = 'a'): AgentEvent[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => ({
    type: 'text.delta',
    seq: from + index,
    runId,
    at: 1_780_000_000_000 + from + index,
    turn: 1,
    attempt: 1,
    block: 0,
    text: `${writer}${from + index}\n`,
  }))
}

export function finished(seq: number): AgentEvent {
  return {
    type: 'run.finished',
    seq,
    runId,
    at: 1_780_000_000_000 + seq,
    outcome: 'completed',
    stopReason: 'end_turn',
    usage: { input_tokens: 1, output_tokens: 2 },
  }
}
