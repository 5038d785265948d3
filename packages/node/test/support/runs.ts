import { type AgentRun, createRun, type EventBody, systemRuntime } from '@millrace/core'

const usage = { input_tokens: 1, output_tokens: 1 }

export interface Script {
  readonly emit: (body: EventBody) => void
  /** Undefined where readers keep up. */
  readonly ready: () => Promise<void> | undefined
}

/** A run that sends what `drive` sends. */
export function runOf(drive: (script: Script, signal: AbortSignal) => void | Promise<void>): AgentRun {
  const runId = 'run-1'
  const result = { runId, stopReason: null, messages: [], newMessages: [], text: '', usage, turns: 1 }
  return createRun({
    runId,
    runtime: systemRuntime,
    async drive({ emit, ready, signal }) {
      await drive({ emit, ready }, signal)
      return { ...result, outcome: signal.aborted ? 'interrupted' : 'completed' }
    },
    crashed: (error) => ({ ...result, outcome: 'failed', error }),
  })
}

export function delta(text: string, place: { turn?: number; block?: number } = {}): EventBody {
  return { type: 'text.delta', turn: 1, attempt: 1, block: 0, ...place, text }
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
