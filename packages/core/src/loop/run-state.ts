import type { AccumulatedBlock } from '../protocol/blocks.ts'
import { noUsage } from '../protocol/usage.ts'
import type { Message, Usage } from '../protocol/messages.ts'
import type { Request, TurnFailures } from '../recovery/ladder.ts'
import type { ShownBlock } from './turn-view.ts'

/** A turn that a dead process had begun: its last attempt, and what was shown of it. */
export interface ReopenedTurn {
  readonly attempt: number
  readonly shown: readonly (ShownBlock | undefined)[]
  /** Its text, and the server tools that it had called; of their results nothing is known. */
  readonly blocks: readonly AccumulatedBlock[]
}

/** What changes as a run goes on. */
export interface RunState {
  readonly given: readonly Message[]
  readonly added: Message[]
  turn: number
  usage: Usage
  stopReason: string | null
  /** Extra requests made so far. */
  extraRequests: number
  /** Streaming failed twice in one turn, or was switched off: the rest goes without. */
  staysBuffered: boolean
  /** Pauses in a row. */
  pauses: number
  /** The container that server tools work in, carried from answer to request. */
  container: string | undefined
  /** The turn that another process was in when it died. */
  reopened: ReopenedTurn | undefined
  /** How the continuation of a broken answer is to be asked for. */
  continuation: { readonly failures: TurnFailures; readonly request: Request; readonly delay: number } | undefined
}

export function initialState(given: readonly Message[]): RunState {
  return {
    given,
    added: [],
    turn: 0,
    usage: noUsage,
    stopReason: null,
    extraRequests: 0,
    staysBuffered: false,
    pauses: 0,
    container: undefined,
    reopened: undefined,
    continuation: undefined,
  }
}
