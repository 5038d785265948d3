import type { Retraction } from '../protocol/retraction.ts'
import type { AgentCallbacks } from './callbacks.ts'
import type { MillraceError } from '../kit/errors.ts'
import type { AgentEvent, RunOutcome } from '../protocol/events.ts'
import type { InputMessage, Message, Usage } from '../protocol/messages.ts'
import type { FlagClient, FlagContext } from './flag-client.ts'
import type { RunDecision } from '../protocol/run-decision.ts'
import type { ToolLedger } from './tool-ledger.ts'

/** What a run is asked to do. */
export interface RunInput {
  /** The conversation, as the API takes it. */
  readonly messages: readonly InputMessage[]
  /** Interrupts the run when it aborts. */
  readonly signal?: AbortSignal
  /** Who asks: a targeting key, or the whole context that flags are evaluated with. */
  readonly user?: string | FlagContext
  /** `auto` (default) asks the agent's flags; without flags it streams. The kill switch wins over all three. */
  readonly mode?: 'auto' | 'stream' | 'buffered'
  /** Request parameters of this run, over the agent's. */
  readonly request?: Readonly<Record<string, unknown>>
  readonly callbacks?: AgentCallbacks
  readonly retraction?: Retraction
  /** Default: a fresh UUID. */
  readonly runId?: string
  readonly sessionId?: string
  /** Whose run it is, as its store keeps it. */
  readonly owner?: string
  /** Plain JSON of the caller's own, kept with the run in its store. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** A decision that was taken already: `mode` and flags are not asked. The kill switch is, from the second turn on. */
  readonly decision?: RunDecision
  /** The flag source of this run, instead of the agent's. */
  readonly flags?: FlagClient
  /** Where executed calls are written down, so that a loop that takes over does not repeat them. */
  readonly ledger?: ToolLedger
}

/** How a run ended. It is given whatever happened; `messages` are always accepted as the start of a next request. */
export interface RunResult {
  readonly runId: string
  readonly outcome: RunOutcome
  readonly stopReason: string | null
  /** The whole conversation: the input's messages and the new ones. Empty where the existing loop did it all. */
  readonly messages: readonly Message[]
  readonly newMessages: readonly Message[]
  /**
   * The text of the answer: of all assistant messages after the last tool result, or else of the last one that has text.
   */
  readonly text: string
  /** Sums over the turns, a refused and an unfinished one included; not over attempts that were asked again. */
  readonly usage: Usage
  readonly turns: number
  readonly error?: MillraceError
  /**
   * Where the run ended inside a turn: how many of `newMessages` were committed before that turn, and its number. What
   * follows them is what was kept of the broken turn.
   */
  readonly unfinished?: {
    readonly turn: number
    readonly committed: number
    /** False where the broken turn had used server tools whose effects asking again could repeat. */
    readonly repeatable?: false
    /** True if the turn was to go on with an answer that had broken: the last of the committed messages. */
    readonly continues?: true
  }
}

export interface MoveOptions {
  /** Milliseconds after which clients are told to reconnect. */
  readonly retryMs: number
  /** Whether to stop in the middle of a turn. Default: false. */
  readonly now?: boolean
}

/**
 * A run under way. Iterate it for its events, await `result`, or both. Iteration starts with the first event wherever
 * it begins in time, as long as no other has read before its iterator was made and at most 10,000 events have passed;
 * beyond that it throws `events_missed`. Leaving
 * an iteration stops nothing: the run goes on to its end, at its own pace. An iterator that is open and not read slows
 * the run down, as far as the socket of the model API.
 */
export interface AgentRun extends AsyncIterable<AgentEvent> {
  readonly runId: string
  /** Never rejects. */
  readonly result: Promise<RunResult>
  /** Stops the run and keeps what was said. The first call counts. */
  interrupt(reason?: string): void
  /**
   * Lets another process go on with the run: it stops at the end of its turn, or at once with `now`, and is let go in its
   * store. `result` then has the error `run_moved`, and the last event here is `run.moving`. A tool call that `now` stops
   * is settled by the other process, as after a crash. Without a journal, and while a legacy loop answers, the run cannot
   * move: it goes on, and `now` interrupts it. Calling it again may add `now`.
   */
  move(options: MoveOptions): void
  /**
   * Iterates the same events in batches: everything that is there when a batch is asked for, such as what one read of the
   * model's socket brought. No batch is empty, and nothing is held back to make one.
   */
  batches(): AsyncIterable<readonly AgentEvent[]>
}
