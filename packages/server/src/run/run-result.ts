import { type AgentEvent, type ContentBlock, clientError, type RunResult, type Usage } from '@millrace/core'
import type { RunResultBody } from '@millrace/wire'
import { shutDownProblem } from '../http/problem.ts'
import type { EventBatches } from '../response/until-settled.ts'

/** The body of a run that this handler has driven to its end. */
export function resultBody(result: RunResult, rawContent: boolean): RunResultBody {
  const { runId, outcome, stopReason, text, usage, turns, error, newMessages } = result
  return {
    runId,
    outcome,
    stopReason,
    text,
    usage,
    turns,
    ...(error !== undefined && { error: clientError(error) }),
    ...(rawContent && { newMessages }),
  }
}

/** The same from a run's stored events. @throws ProblemError `shutting_down` where they stop before the run has ended */
export async function resultFromEvents(batches: EventBatches): Promise<RunResultBody> {
  let text = ''
  let turns = 0
  for await (const batch of batches) {
    for (const event of batch) {
      if (event.type === 'run.finished') return finished(event, text, turns)
      if (event.type !== 'turn.finished') continue
      turns = event.turn
      // The answer is what was said after the last tool result.
      text = event.content.some(({ type }) => type === 'tool_use') ? '' : text + textOf(event.content)
    }
  }
  throw shutDownProblem()
}

function finished(
  event: Extract<AgentEvent, { readonly type: 'run.finished' }>,
  text: string,
  turns: number,
): RunResultBody {
  const { runId, outcome, stopReason, error } = event
  const usage: Usage = event.usage
  return { runId, outcome, stopReason, text, usage, turns, ...(error !== undefined && { error }) }
}

function textOf(content: readonly ContentBlock[]): string {
  return content
    .map((block) => (block.type === 'text' && typeof block['text'] === 'string' ? block['text'] : ''))
    .join('')
}
