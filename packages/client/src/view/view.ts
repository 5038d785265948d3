import type {
  ClientError,
  RunDecision,
  RunOutcome,
  ToolOutcome,
  ToolResultContent,
  TurnMode,
  Usage,
} from '@millrace/core'
import type { ShownBlock } from '@millrace/core/reduce'

/** A content block, as far as it has arrived. The key of a tool call's {@link ToolView} is its `toolUseId`. */
export type BlockView = ShownBlock

export interface TurnView {
  readonly turn: number
  readonly attempt: number
  readonly mode: TurnMode
  /** In the order of their index. */
  readonly blocks: readonly BlockView[]
  /** Whether the turn is part of history. */
  readonly finished: boolean
  readonly stopReason: string | null
  readonly usage?: Usage
  readonly salvaged: boolean
}

/** A tool call that has started. */
export interface ToolView {
  readonly toolUseId: string
  readonly name: string
  readonly turn: number
  readonly input: unknown
  readonly status: 'running' | ToolOutcome
  readonly progress?: number
  readonly total?: number
  readonly message?: string
  readonly data?: unknown
  /** Milliseconds at the time of the last progress. */
  readonly elapsedMs?: number
  readonly durationMs?: number
  readonly result?: ToolResultContent
  readonly reused?: boolean
}

/** The reason why a view cannot be trusted: an event is missing, or a block's text is not what was sent. */
export type ViewDamage =
  | { readonly reason: 'gap'; readonly expected: number; readonly received: number }
  | { readonly reason: 'mismatch'; readonly turn: number; readonly block: number }

/**
 * The state of a run. Values are immutable: what an event does not change keeps its identity, so a user interface can compare
 * by reference.
 */
export interface RunView {
  readonly runId?: string
  readonly sessionId?: string
  /** The `seq` of the last event in it: the cursor to continue from. */
  readonly seq: number
  readonly status: 'waiting' | 'running' | 'finished'
  readonly decision?: RunDecision
  /** Set while no process drives the run, because it moves from one to another. Nothing has failed. */
  readonly moving?: { readonly retryMs: number }
  readonly turns: readonly TurnView[]
  /** In the order of their start. */
  readonly tools: readonly ToolView[]
  readonly outcome?: RunOutcome
  readonly stopReason: string | null
  readonly usage?: Usage
  readonly error?: ClientError
  readonly damage?: ViewDamage
}

/** The view before the first event. */
export const emptyView: RunView = { seq: 0, status: 'waiting', turns: [], tools: [], stopReason: null }

/**
 * Returns the text of the answer so far: of all turns after the last one that called tools. What the model said with the
 * calls stays until there is text after them.
 */
export function viewText(view: RunView): string {
  const calling = new Set(view.tools.map(({ turn }) => turn))
  let answer = ''
  let part = ''
  for (const { turn, blocks } of view.turns) {
    for (const { kind, text } of blocks) if (kind === 'text') part += text
    if (part.trim() !== '') answer = part
    if (calling.has(turn)) part = ''
  }
  return answer
}

/** Returns the call that a block asked for, once it has started. */
export function toolOf(view: RunView, block: BlockView): ToolView | undefined {
  return block.toolUseId === undefined ? undefined : view.tools.find(({ toolUseId }) => toolUseId === block.toolUseId)
}
