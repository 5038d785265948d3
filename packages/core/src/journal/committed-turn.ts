import { addResults, callsOf, leadOn, runCalls, toolsOfTurn } from '../loop/loop.ts'
import type { Next } from '../loop/resume-point.ts'
import type { RunContext } from '../loop/run-context.ts'
import type { ContentBlock } from '../protocol/messages.ts'
import { asWhole } from '../reduce/history.ts'
import { notRun } from '../tools/executor.ts'
import type { RecoveredCalls } from '../tools/recovered-calls.ts'

/** A turn that is part of history, and that its process died before going on from. */
export interface StoredTurn {
  readonly stopReason: string | null
  /** Committed from a stream that broke: it has no stop reason, and calls to run. */
  readonly salvaged: boolean
  readonly attempt: number
  readonly content: readonly ContentBlock[]
  readonly recovered: RecoveredCalls
}

/** Does what the last turn of a run that was taken over asks for. */
export async function goOnFromCommitted(run: RunContext, stored: StoredTurn): Promise<Next> {
  const { content, stopReason, attempt, salvaged, recovered } = stored
  const tools = toolsOfTurn(run, run.state.turn, recovered)
  const blocks = content.map(asWhole)
  if (salvaged) return runCalls(run, attempt, blocks, tools)
  if (stopReason !== null && stopReason !== 'refusal') return leadOn(run, stopReason, blocks, attempt, tools)
  // Its process died between the turn that ended the run, and the end.
  addResults(run, tools.refuse(callsOf(blocks), notRun))
  return { outcome: stopReason === null ? 'interrupted' : 'refused' }
}
