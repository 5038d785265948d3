import type { ClientError, FaultCode } from '../kit/errors.ts'
import type { ContentBlock, Usage } from './messages.ts'
import type { RunDecision } from './run-decision.ts'

/** How a turn is asked of the model: streamed, in one body, or by the caller's existing loop. */
export type TurnMode = 'stream' | 'buffered' | 'legacy'

/** How a run ended. `limit`: a turn, pause or token limit; `refused`: the model declined. */
export type RunOutcome = 'completed' | 'interrupted' | 'limit' | 'refused' | 'failed'

/**
 * How a tool call ended. `unknown`: it was started and nobody can say whether it took effect; `cancelled`: it was
 * stopped or never started; `discarded`: it was started early for an attempt that was then thrown away.
 */
export type ToolOutcome = 'ok' | 'error' | 'timeout' | 'unknown' | 'cancelled' | 'discarded'

/** Why a rung of the recovery ladder was left. */
export type FallbackReason = FaultCode | 'circuit_open' | 'killed'

export type RetractionReason = FallbackReason | 'interrupted' | 'refusal'

/** Where on the ladder: `salvage` keeps the whole blocks of a broken attempt, `continue` keeps its shown text. */
export type Rung = 'stream' | 'buffered' | 'legacy' | 'salvage' | 'continue'

export interface RunStarted {
  readonly type: 'run.started'
  readonly sessionId?: string
  readonly decision: RunDecision
}

export interface TurnStarted {
  readonly type: 'turn.started'
  readonly turn: number
  /** 1, 2, 3 … for each time this turn is asked of the model. */
  readonly attempt: number
  readonly mode: TurnMode
}

/** The place of a content block: its turn, the attempt it came with, and its index in the message. */
export interface BlockPlace {
  readonly turn: number
  readonly attempt: number
  readonly block: number
}

export interface BlockStarted extends BlockPlace {
  readonly type: 'block.started'
  /** The content block's type: `text`, `thinking`, `tool_use`, `server_tool_use` … */
  readonly kind: string
}

export interface BlockFinished extends BlockPlace {
  readonly type: 'block.finished'
  readonly kind: string
  /** UTF-16 code units of the block's text (thinking, tool input) as it now stands, retractions applied. */
  readonly length: number
  /** `checksum` of that text. A client that computes another has lost or doubled something. */
  readonly checksum: string
}

export interface TextDelta extends BlockPlace {
  readonly type: 'text.delta'
  readonly text: string
}

export interface ThinkingDelta extends BlockPlace {
  readonly type: 'thinking.delta'
  readonly text: string
}

export interface ToolInput extends BlockPlace {
  readonly type: 'tool.input'
  readonly toolUseId: string
  readonly name: string
  /** The next fragment of the input's JSON. */
  readonly json: string
}

export interface ToolStarted {
  readonly type: 'tool.started'
  readonly toolUseId: string
  readonly name: string
  readonly input: unknown
  readonly turn: number
  readonly attempt: number
}

/** How far a tool is. Everything is optional; `progress` and `total` share one unit of the tool's choosing. */
export interface ToolProgress {
  readonly progress?: number
  readonly total?: number
  readonly message?: string
  /** JSON; copied when it is reported, and left out where it is none. */
  readonly data?: unknown
}

export interface ToolProgressed {
  readonly type: 'tool.progress'
  readonly toolUseId: string
  readonly name: string
  readonly turn: number
  readonly progress?: number
  readonly total?: number
  readonly message?: string
  readonly data?: unknown
  /** Milliseconds since the tool started. */
  readonly elapsedMs: number
}

export interface ToolFinished {
  readonly type: 'tool.finished'
  readonly toolUseId: string
  readonly name: string
  readonly input: unknown
  readonly turn: number
  /** What the model is told: the `content` of the call's `tool_result`. */
  readonly result: ToolResultContent
  readonly outcome: ToolOutcome
  readonly durationMs: number
  /** True where the result came from the ledger instead of a second execution. */
  readonly reused?: boolean
}

/** The `content` of a `tool_result` block. */
export type ToolResultContent = string | readonly ContentBlock[]

/**
 * Withdraws what was sent of this turn from block `fromBlock` on: that block keeps its first `fromOffset` UTF-16 code
 * units and is open again (with offset 0 it goes as well), every later block goes.
 */
export interface TurnRetracted {
  readonly type: 'turn.retracted'
  readonly turn: number
  readonly attempt: number
  readonly fromBlock: number
  readonly fromOffset: number
  readonly reason: RetractionReason
}

export interface TurnFinished {
  readonly type: 'turn.finished'
  readonly turn: number
  readonly attempt: number
  readonly mode: TurnMode
  readonly stopReason: string | null
  readonly usage: Usage
  /**
   * Set if `content` is what is kept of an answer that broke or was interrupted. Its usage is what was known by then. A turn
   * that ended without an answer has neither this nor content.
   */
  readonly salvaged?: true
  /** The one of the request's stop sequences that ended the turn. */
  readonly stopSequence?: string
  /** What the API says of a refusal, such as its category. */
  readonly stopDetails?: unknown
  /** The container that server tools work in, which the next request names again. It stays on the server unless an option sends it. */
  readonly container?: string
  /** The assistant message's content as history holds it. It stays on the server unless an option sends it. */
  readonly content: readonly ContentBlock[]
}

export interface Fallback {
  readonly type: 'fallback'
  readonly turn: number
  readonly from: TurnMode
  readonly to: Rung
  readonly reason: FallbackReason
  /** Whether anything of the turn had been sent when it failed. */
  readonly stage: 'before_output' | 'after_output'
}

/**
 * The process that drove the run stops here, and another one goes on with it. It is the last event of this process. A
 * client that this process serves reconnects, to any instance, after `retryMs` milliseconds.
 */
export interface RunMoving {
  readonly type: 'run.moving'
  readonly retryMs: number
}

/** Another process goes on with the run. */
export interface RunResumed {
  readonly type: 'run.resumed'
  /** Whether the process before had moved the run, or died. */
  readonly after: 'move' | 'crash'
  /** How many processes have died while they drove this run. */
  readonly crashes: number
}

export interface RunFinished {
  readonly type: 'run.finished'
  readonly outcome: RunOutcome
  readonly stopReason: string | null
  readonly usage: Usage
  readonly error?: ClientError
}

/** An event before the run has numbered and dated it. */
export type EventBody =
  | RunStarted
  | TurnStarted
  | BlockStarted
  | BlockFinished
  | TextDelta
  | ThinkingDelta
  | ToolInput
  | ToolStarted
  | ToolProgressed
  | ToolFinished
  | TurnRetracted
  | TurnFinished
  | Fallback
  | RunMoving
  | RunResumed
  | RunFinished

/** What every event carries besides its own fields. */
export interface EventHead {
  /** 1, 2, 3 … within the run, without a gap. */
  readonly seq: number
  readonly runId: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

type WithHead<Body> = Body extends EventBody ? Body & EventHead : never

/** The public protocol: a discriminated union over `type`. Ignore types that you do not know. */
export type AgentEvent = WithHead<EventBody>

export type AgentEventType = AgentEvent['type']

/**
 * FNV-1a, 32 bits, over the UTF-16 code units of `text`, as eight hexadecimal digits. It finds lost or doubled text;
 * it is no protection against tampering.
 */
export function checksum(text: string): string {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return (hash >>> 0).toString(16).padStart(8, '0')
}
