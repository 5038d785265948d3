import type { FallbackReason, Rung, TurnMode } from '@millrace/core'
import type { Addition } from '@millrace/core/recovery'
import type { TurnEnd } from './take-turn.ts'

/** Is told how a request goes. */
export interface TurnObserver {
  attempt(number: number, mode: TurnMode): void
  added(addition: Addition): void
  fallback(from: TurnMode, to: Rung, reason: FallbackReason, afterOutput: boolean): void
  ended(end: TurnEnd): void
}
