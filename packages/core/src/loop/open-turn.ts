import type { AccumulatedBlock } from '../protocol/blocks.ts'
import type { FallbackReason, Rung, TurnMode } from '../protocol/events.ts'
import { type Message, textOf } from '../protocol/messages.ts'
import type { ToolRunner } from '../tools/tool-runner.ts'
import type { RunContext } from './run-context.ts'
import type { ShownTurn } from './shown-turn.ts'

/** A turn under way. */
export interface OpenTurn {
  readonly turn: number
  readonly tools: ToolRunner
  readonly shown: ShownTurn
  /** The text that it goes on from; undefined if it goes on from no broken answer. */
  readonly said: string | undefined
  /** What the model is asked with besides the history: the prompt to go on, if the turn goes on with a broken answer. */
  readonly prompt: readonly Message[]
}

/** Returns what was said of the answer so far, these blocks included. */
export function saidWith({ said = '' }: OpenTurn, blocks: readonly AccumulatedBlock[]): string {
  return said + blocks.map(({ block }) => textOf(block)).join('')
}

/** Reports that the turn goes down the recovery ladder. */
export function emitFallback(
  { handle }: RunContext,
  { turn, shown }: OpenTurn,
  from: TurnMode,
  to: Rung,
  reason: FallbackReason,
): void {
  const stage = shown.hasOutput ? 'after_output' : 'before_output'
  handle.emit({ type: 'fallback', turn, from, to, reason, stage })
}
