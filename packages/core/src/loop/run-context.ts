import { defined } from '../kit/defined.ts'
import type { RunHandle } from '../run/run-handle.ts'
import type { MillraceError } from '../kit/errors.ts'
import { answerText, closeHistory } from '../reduce/history.ts'
import type { RunScope } from '../run/middleware.ts'
import type { AgentSettings } from './agent-options.ts'
import type { FlagClient, FlagContext } from '../run/flag-client.ts'
import type { Retraction } from '../protocol/retraction.ts'
import type { RunInput, RunResult } from '../run/run.ts'
import type { RunOutcome } from '../protocol/events.ts'
import type { PendingTurn } from './rebuilt-run.ts'
import type { RunState } from './run-state.ts'

/** What is needed to drive a run, and does not change. */
export interface RunContext {
  readonly handle: RunHandle
  readonly settings: AgentSettings
  readonly input: RunInput
  readonly scope: RunScope
  readonly retraction: Exclude<Retraction, 'auto'>
  readonly flags: FlagClient | undefined
  readonly flagContext: FlagContext
  readonly state: RunState
  /** Where the run was taken over: its last turn, which has not led on to anything yet. */
  readonly pending: PendingTurn | undefined
}

/** How the loop ended. */
export interface LoopEnd {
  readonly outcome: RunOutcome
  readonly error?: MillraceError
  /** How many of the added messages were committed before the turn that broke, and whether it may be asked again. */
  readonly broken?: { readonly committed: number; readonly repeatable?: false }
}

/** The result of a run that ended in this state. */
export function toResult(runId: string, state: RunState, end: LoopEnd): RunResult {
  const newMessages = closeHistory(state.added, 'The call was not run: the run ended')
  return {
    runId,
    outcome: end.outcome,
    stopReason: state.stopReason,
    messages: [...state.given, ...newMessages],
    newMessages,
    text: answerText(newMessages),
    usage: state.usage,
    turns: state.turn,
    ...defined({ error: end.error }),
    ...(end.broken !== undefined && { unfinished: { turn: state.turn, ...end.broken } }),
  }
}
