import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { ContentBlock } from '../protocol/messages.ts'
import type { Request, TurnFailures } from '../recovery/ladder.ts'
import type { ShownBlock } from '../reduce/shown-blocks.ts'
import type { RecoveredCalls } from '../tools/recovered-calls.ts'

/** Where a run goes on: what the loop is started with, and what each turn gives to the next. */
export type ResumePoint = FreshTurn | ContinuedTurn | ReopenedTurn | CommittedTurn

/** The model is asked for a turn, from the history as it is. */
export interface FreshTurn {
  readonly type: 'fresh'
}

/** The answer broke and is kept as far as it had come: the model is asked to go on where it stopped. */
export interface ContinuedTurn {
  readonly type: 'continued'
  /** The text of the answer so far, over all its pieces. */
  readonly said: string
  /** What has failed so far; the pieces of one answer count together. */
  readonly failures: TurnFailures
  readonly request: Request
  /** Milliseconds before the request. */
  readonly delay: number
}

/** A turn under way when its process died. */
export interface ReopenedTurn {
  readonly type: 'reopened'
  /** The number of its last attempt. */
  readonly attempt: number
  readonly shown: readonly ShownBlock[]
  /** Its text, and the server tools that it had called; of their results nothing is known. */
  readonly blocks: readonly AccumulatedBlock[]
  /** The text of the answer that it goes on from; undefined for a turn that goes on from none. */
  readonly said: string | undefined
}

/** A turn that is part of history and has not led on to anything yet. */
export interface CommittedTurn extends RecoveredCalls {
  readonly type: 'committed'
  readonly stopReason: string | null
  /** Committed from a stream that broke: it has no stop reason, and calls to run. */
  readonly salvaged: boolean
  readonly attempt: number
  readonly content: readonly ContentBlock[]
}

/** The beginning of a run, and of most turns. */
export const fresh: FreshTurn = { type: 'fresh' }

/** Returns the text that a turn goes on from; undefined for a turn that goes on from no broken answer. */
export function saidBefore(point: ResumePoint): string | undefined {
  return point.type === 'continued' || point.type === 'reopened' ? point.said : undefined
}
