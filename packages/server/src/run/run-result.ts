import { clientError, type RunResult } from '@millrace/core'
import { defined } from '@millrace/core/kit'
import { createShownText } from '@millrace/core/reduce'
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
  const shown = createShownText()
  let turns = 0
  for await (const batch of batches) {
    for (const event of batch) {
      shown.apply(event)
      if (event.type === 'turn.finished') turns = event.turn
      if (event.type !== 'run.finished') continue
      const { runId, outcome, stopReason, usage, error } = event
      return { runId, outcome, stopReason, text: shown.answer, usage, turns, ...defined({ error }) }
    }
  }
  throw shutDownProblem()
}
