import type {
  ClientError,
  RunDecision,
  RunOutcome,
  ToolOutcome,
  ToolResultContent,
  TurnMode,
  Usage,
} from '@millrace/core'

/** A content block as far as it has come. */
export interface BlockView {
  /** Its index in the message; indices may be missing. */
  readonly block: number
  /** `text`, `thinking`, `tool_use` … */
  readonly kind: string
  /** Text or thinking; of a tool call the JSON of its input. */
  readonly text: string
  /** Whether more of it may come. */
  readonly open: boolean
  /** Of a tool call: the key of its {@link ToolView}. */
  readonly toolUseId?: string
  readonly name?: string
}

export interface TurnView {
  readonly turn: number
  readonly attempt: number
  readonly mode: TurnMode
  /** In the order of their index. */
  readonly blocks: readonly BlockView[]
  /** Whether it is part of history. */
  readonly finished: boolean
  readonly stopReason: string | null
  readonly usage?: Usage
  readonly salvaged: boolean
}

/** A tool call from its start on. */
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
  /** Milliseconds, as of the last progress. */
  readonly elapsedMs?: number
  readonly durationMs?: number
  readonly result?: ToolResultContent
  readonly reused?: boolean
}

/** Why a view cannot be trusted any more: an event is missing, or a block's text is not what was sent. */
export type ViewDamage =
  | { readonly reason: 'gap'; readonly expected: number; readonly received: number }
  | { readonly reason: 'mismatch'; readonly turn: number; readonly block: number }

/**
 * All that is known of a run. Values are never changed: what an event does not touch keeps its identity, so that a user
 * interface may compare by reference.
 */
export interface RunView {
  readonly runId?: string
  readonly sessionId?: string
  /** The last event that is in it: the cursor to go on from. */
  readonly seq: number
  readonly status: 'waiting' | 'running' | 'finished'
  readonly decision?: RunDecision
  readonly turns: readonly TurnView[]
  /** In the order of their start. */
  readonly tools: readonly ToolView[]
  readonly outcome?: RunOutcome
  readonly stopReason: string | null
  readonly usage?: Usage
  readonly error?: ClientError
  readonly damage?: ViewDamage
}

/** Before the first event. */
export const emptyView: RunView = { seq: 0, status: 'waiting', turns: [], tools: [], stopReason: null }

/** The text of the answer as it stands: of all turns after the last one that called tools. */
export function viewText(view: RunView): string {
  const lastCall = view.tools.reduce((last, { turn }) => Math.max(last, turn), 0)
  return view.turns
    .filter(({ turn }) => turn > lastCall)
    .flatMap(({ blocks }) => blocks.filter(({ kind }) => kind === 'text').map(({ text }) => text))
    .join('')
}

/** The call that a block asked for, once it has started. */
export function toolOf(view: RunView, block: BlockView): ToolView | undefined {
  return block.toolUseId === undefined ? undefined : view.tools.find(({ toolUseId }) => toolUseId === block.toolUseId)
}
