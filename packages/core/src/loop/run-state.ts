import type { MillraceError } from '../kit/errors.ts'
import { noUsage } from '../protocol/usage.ts'
import type { Message, Usage } from '../protocol/messages.ts'

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
  /** The limit on time that was reached first. */
  overdue: MillraceError | undefined
  /** Pauses in a row. */
  pauses: number
  /** The container that server tools work in, carried from answer to request. */
  container: string | undefined
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
    overdue: undefined,
    pauses: 0,
    container: undefined,
  }
}
