import type { ShownBlock } from '../reduce/shown-blocks.ts'
import type { ContinuedTurn } from './continued-turn.ts'
import type { OpenTurn } from './open-turn.ts'
import type { LoopEnd, RunContext } from './run-context.ts'
import type { TurnResult } from './turn-result.ts'

/** Where a run goes on: what the loop is started with, and what each turn gives to the next. */
export type ResumePoint = FreshTurn | ContinuedTurn | ReopenedTurn | CommittedTurn

/** What follows a turn: another one, or the end. */
export type Next = ResumePoint | LoopEnd

/** The model is asked for a turn, from the history as it is. */
export interface FreshTurn {
  readonly type: 'fresh'
}

/** A turn under way when its process died. */
export interface ReopenedTurn {
  readonly type: 'reopened'
  /** The number of its last attempt. */
  readonly attempt: number
  readonly shown: readonly ShownBlock[]
  /** The text of the answer that it goes on from; undefined for a turn that goes on from none. */
  readonly said: string | undefined
  /** Keeps what is there of the turn, if it must not be asked again from its start. */
  readonly keep: (run: RunContext, open: OpenTurn) => TurnResult | undefined
}

/** A turn that was part of history when its process died, and had not led on to anything. */
export interface CommittedTurn {
  readonly type: 'committed'
  /** Does what the turn asks for. */
  readonly goOn: (run: RunContext) => Promise<Next>
}

/** The beginning of a run, and of most turns. */
export const fresh: FreshTurn = { type: 'fresh' }

/** Returns the text that a turn goes on from; undefined for a turn that goes on from no broken answer. */
export function saidBefore(point: ResumePoint): string | undefined {
  return point.type === 'continued' || point.type === 'reopened' ? point.said : undefined
}
