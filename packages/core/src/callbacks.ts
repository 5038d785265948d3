import type { MillraceError } from './errors.ts'
import type { AgentEvent, ClientError, ToolResultContent } from './events.ts'
import type { ToolProgress } from './tools/define-tool.ts'

/** The last argument of each callback. */
export interface CallbackMeta {
  readonly runId: string
  readonly turn: number
  readonly toolUseId?: string
  readonly event?: AgentEvent
}

/**
 * Called as a run goes on, in the order of its events. What a callback throws, or a promise it gives rejects with, is
 * reported to `onError` as recoverable and changes nothing.
 */
export interface AgentCallbacks {
  readonly onText?: (text: string, meta: CallbackMeta) => void
  readonly onThinking?: (text: string, meta: CallbackMeta) => void
  /** A tool starts. */
  readonly onToolUse?: (name: string, input: unknown, meta: CallbackMeta) => void
  readonly onToolProgress?: (name: string, input: unknown, message: string | undefined, progress: ToolProgress, meta: CallbackMeta) => void
  readonly onToolResult?: (name: string, input: unknown, result: ToolResultContent, meta: CallbackMeta) => void
  /** Withdraws `text`, the end of what `onText` was given in this turn. Without it nothing is ever withdrawn. */
  readonly onRetract?: (retraction: { readonly turn: number; readonly text: string }, meta: CallbackMeta) => void
  readonly onError?: (error: ClientError | MillraceError, meta: CallbackMeta & { readonly recoverable: boolean }) => void
  readonly onEvent?: (event: AgentEvent, meta: CallbackMeta) => void
}
