import type { Clock } from '../kit/clock.ts'
import type { MillraceError } from '../kit/errors.ts'
import type { AgentEvent, TurnMode } from '../protocol/events.ts'
import type { Message } from '../protocol/messages.ts'
import { noUsage } from '../protocol/usage.ts'
import type { ShownText } from '../reduce/shown-text.ts'
import type { DrivableAgent } from '../run/agent.ts'
import type { FlagClient } from '../run/flag-client.ts'
import type { PreparedRun } from '../run/prepared-run.ts'
import type { RunHandle } from '../run/run-handle.ts'
import type { RunInput, RunResult } from '../run/run.ts'
import type { ToolLedger } from '../run/tool-ledger.ts'
import type { AdaptedCall } from './adapted-call.ts'
import type { AsyncScope } from './async-scope.ts'

/** The options of an adapted loop that take no argument of its caller. */
export interface AdaptedSettings {
  readonly agent: DrivableAgent
  readonly flags: FlagClient | undefined
  readonly flagDeadline: number
  readonly handover: 'none' | 'history' | 'restart'
  readonly scope: AsyncScope | undefined
  readonly legacyReports: boolean
  readonly clock: Clock
}

/** One run of an adapted loop, on the one handle that the agent and the legacy loop share. */
export interface AdaptedRun<R> {
  readonly settings: AdaptedSettings
  readonly handle: RunHandle
  /** Undefined for a run that was taken over and whose call cannot be made again. */
  readonly call: AdaptedCall<R> | undefined
  /** What the run was started with as an agent's; undefined for a call of the adapted loop. */
  readonly base: RunInput | undefined
  /** Set for a run that was taken over. */
  readonly taken: PreparedRun | undefined
  readonly ledger: ToolLedger
  readonly progress: Progress
}

/** How a run of an adapted loop ended, and where the caller's value comes from. */
export interface Driven<R> {
  readonly result: RunResult
  /** `legacy`: the legacy loop was called with the caller's arguments; `thrown`: it, or a hook around it, threw. */
  readonly value:
    | { readonly from: 'legacy'; readonly value: R }
    | { readonly from: 'result' }
    | { readonly from: 'thrown'; readonly error: unknown }
}

/** What a handover needs to know of the events that were sent. */
export interface Progress {
  readonly shown: ShownText
  readonly lastMode: TurnMode
  /** The number of the last turn that ended; 0 for none. */
  readonly finished: number
}

/** Follows the events of a run from now on. */
export function followProgress(handle: RunHandle): Progress {
  let lastMode: TurnMode = 'stream'
  let finished = 0
  handle.observe((event: AgentEvent) => {
    if (event.type === 'turn.started') lastMode = event.mode
    if (event.type === 'turn.finished') finished = event.turn
  })
  return {
    shown: handle.shown,
    get lastMode() {
      return lastMode
    },
    get finished() {
      return finished
    },
  }
}

/** Returns the result of a run that failed before it added anything. */
export function emptyResult(runId: string, given: readonly Message[], error?: MillraceError): RunResult {
  return {
    runId,
    outcome: 'failed',
    stopReason: null,
    messages: given,
    newMessages: [],
    text: '',
    usage: noUsage,
    turns: 1,
    ...(error !== undefined && { error }),
  }
}
