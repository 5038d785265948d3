import { defined } from '../kit/defined.ts'
import type { RunHandle } from '../run/run-handle.ts'
import type { MillraceError } from '../kit/errors.ts'
import { closeHistory } from '../reduce/history.ts'
import type { RunScope } from '../run/middleware.ts'
import type { LoopSettings } from './loop-settings.ts'
import type { FlagClient, FlagContext } from '../run/flag-client.ts'
import type { Retraction } from '../protocol/retraction.ts'
import type { RunInput, RunResult } from '../run/run.ts'
import type { RunOutcome } from '../protocol/events.ts'
import type { RunState } from './run-state.ts'

/** What is needed to drive a run. Only `state` changes. */
export interface RunContext {
  readonly handle: RunHandle
  readonly settings: LoopSettings
  readonly input: RunInput
  readonly scope: RunScope
  readonly retraction: Exclude<Retraction, 'auto'>
  readonly flags: FlagClient | undefined
  readonly flagContext: FlagContext
  readonly state: RunState
}

/** How the loop ended. */
export interface LoopEnd {
  readonly outcome: RunOutcome
  readonly error?: MillraceError
  /** Set if it ended inside a turn. */
  readonly broken?: Omit<NonNullable<RunResult['unfinished']>, 'turn'>
}

/** Returns the result of a run that ended in this state. */
export function toResult({ runId, shown }: RunHandle, state: RunState, end: LoopEnd): RunResult {
  const newMessages = closeHistory(state.added, 'The call was not run: the run ended')
  return {
    runId,
    outcome: end.outcome,
    stopReason: state.stopReason,
    messages: [...state.given, ...newMessages],
    newMessages,
    text: shown.answer,
    usage: state.usage,
    turns: state.turn,
    ...defined({ error: end.error }),
    ...(end.broken !== undefined && { unfinished: { turn: state.turn, ...end.broken } }),
  }
}
