import type { AgentEvent, Clock, EventBody, RunDecision, Usage } from '@millrace/core'

const usage: Usage = { input_tokens: 0, output_tokens: 0 }

function decision(given: Partial<RunDecision> = {}): RunDecision {
  return { mode: 'stream', arm: 'streaming', reason: 'flag', tools: {}, ...given }
}

/** Tells the events of one run, dated by the clock. */
export function teller(
  onEvent: (event: AgentEvent) => void,
  clock: Clock,
  runId: string,
): (...bodies: readonly EventBody[]) => void {
  let seq = 0
  return (...bodies) => {
    for (const body of bodies) onEvent({ ...body, seq: ++seq, runId, at: clock.now() })
  }
}

export const started = (given: Partial<RunDecision> = {}): EventBody => ({
  type: 'run.started',
  decision: decision(given),
})

export const finished = (given: Partial<Extract<EventBody, { type: 'run.finished' }>> = {}): EventBody => ({
  type: 'run.finished',
  outcome: 'completed',
  stopReason: 'end_turn',
  usage,
  ...given,
})

export const said = (text: string): EventBody => ({ type: 'text.delta', turn: 1, attempt: 1, block: 0, text })

export const toolFinished = (
  name: string,
  given: Partial<Extract<EventBody, { type: 'tool.finished' }>> = {},
): EventBody => ({
  type: 'tool.finished',
  toolUseId: 'toolu_1',
  name,
  input: {},
  turn: 1,
  result: 'secret result',
  outcome: 'ok',
  durationMs: 5,
  ...given,
})

export const toolStarted = (name: string): EventBody => ({
  type: 'tool.started',
  toolUseId: 'toolu_1',
  name,
  input: { secret: 'secret input' },
  turn: 1,
  attempt: 1,
})

export const fellBack = (given: Partial<Extract<EventBody, { type: 'fallback' }>> = {}): EventBody => ({
  type: 'fallback',
  turn: 1,
  from: 'stream',
  to: 'buffered',
  reason: 'connection_lost',
  stage: 'before_output',
  ...given,
})

export const retracted: EventBody = {
  type: 'turn.retracted',
  turn: 1,
  attempt: 2,
  fromBlock: 0,
  fromOffset: 0,
  reason: 'connection_lost',
}

export const turnStarted = (mode: 'buffered' | 'legacy' | 'stream', turn = 1): EventBody => ({
  type: 'turn.started',
  turn,
  attempt: 1,
  mode,
})
