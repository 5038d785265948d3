import type { FallbackReason, MillraceError, Rung, TurnMode, Usage } from '@millrace/core'
import type { Addition, StreamEvent } from '@millrace/core/recovery'

/** How a request ended. */
export type TurnEnd =
  | { readonly status: 'whole' | 'salvaged'; readonly stopReason: string | null; readonly usage: Usage }
  | { readonly status: 'interrupted' }
  | { readonly status: 'failed'; readonly error: MillraceError }

/** Is told how a request goes. */
export interface TurnObserver {
  attempt(number: number, mode: TurnMode): void
  added(addition: Addition): void
  /** The client gets a new message: what it had does not count. */
  restarted(): void
  /** An event that the client gets. */
  sent(event: StreamEvent): void
  /** What was sent since the last call goes out together. */
  flushed(): void
  fallback(from: TurnMode, to: Rung, reason: FallbackReason, afterOutput: boolean): void
  ended(end: TurnEnd): void
}
