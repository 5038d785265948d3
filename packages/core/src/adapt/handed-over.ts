import type { MillraceError } from '../kit/errors.ts'
import type { InputMessage, Message, Usage } from '../protocol/messages.ts'
import type { ToolLedger } from '../run/tool-ledger.ts'

/** A run that is half done, as the legacy loop is given it. */
export interface HandedOver {
  readonly runId: string
  /** Aborts when the run is interrupted; the legacy loop hears of it if `toArgs` passes it on. */
  readonly signal: AbortSignal
  /** The history so far, tool results included; it ends with a user message. */
  readonly messages: readonly Message[]
  /** Those of them that the run has added to its input. */
  readonly newMessages: readonly Message[]
  /** The calls that were executed. */
  readonly ledger: ToolLedger
  /** Why the run could not go on by itself; undefined if it never began to stream. */
  readonly error: MillraceError | undefined
}

/** How a half-done run goes to the legacy loop, and how what it makes of it comes back. */
export interface Handover<This, Args extends unknown[], R> {
  /** Returns the legacy loop's arguments, so that it goes on from `handed.messages`. */
  readonly toArgs: (this: This, handed: HandedOver, ...args: Args) => Args
  /** Returns what the legacy loop added to `handed.messages`, the text of its answer, and the tokens it used, if known. */
  readonly fromLegacy: (
    this: This,
    result: R,
    handed: HandedOver,
    ...args: Args
  ) => { readonly messages: readonly InputMessage[]; readonly text: string; readonly usage?: Usage }
}
