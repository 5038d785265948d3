import type { MillraceError } from '../kit/errors.ts'
import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { RetractionReason, TurnMode } from '../protocol/events.ts'
import type { AssistantMessage } from '../protocol/messages.ts'
import type { ContinuedTurn } from './continued-turn.ts'
import type { OpenTurn } from './open-turn.ts'

/** What came of a turn, over all its attempts. */
export type TurnResult = {
  readonly open: OpenTurn
  readonly attempt: number
  readonly mode: TurnMode
  readonly message: AssistantMessage | undefined
  /** What arrived; of a salvaged or continued turn, what is kept of it. */
  readonly blocks: readonly AccumulatedBlock[]
  /** What broke it. */
  readonly reason?: RetractionReason
} & (
  | { readonly status: 'whole'; readonly message: AssistantMessage }
  | { readonly status: 'salvaged' }
  | { readonly status: 'continued'; readonly next: ContinuedTurn }
  | { readonly status: 'interrupted' }
  | { readonly status: 'failed'; readonly error: MillraceError }
)
