import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { type Message, textOf } from '../protocol/messages.ts'
import type { ToolRunner } from '../tools/tool-runner.ts'
import type { ResumePoint } from './resume-point.ts'
import type { ShownTurn } from './shown-turn.ts'

/** A turn that is about to be taken. */
export interface TurnStart {
  readonly turn: number
  readonly tools: ToolRunner
  readonly from: ResumePoint
}

/** A turn under way. */
export interface OpenTurn extends TurnStart {
  readonly shown: ShownTurn
  /** The text that it goes on from; undefined if it goes on from no broken answer. */
  readonly said: string | undefined
  readonly prompt: readonly Message[]
}

/** Returns what was said of the answer so far, these blocks included. */
export function saidWith({ said = '' }: OpenTurn, blocks: readonly AccumulatedBlock[]): string {
  return said + blocks.map(({ block }) => textOf(block)).join('')
}
