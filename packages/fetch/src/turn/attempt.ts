import type { AssistantMessage, ContentBlock } from '@millrace/core'
import type { AccumulatedBlock, Addition } from '@millrace/core/recovery'
import type { Frame } from '../stream/frame-reader.ts'
import type { GateOptions } from '../stream/gate.ts'

export interface AttemptOptions extends Omit<GateOptions, 'accumulator'> {
  /** The content of the conversation so far, whose calls have their ids already. */
  readonly history: readonly ContentBlock[]
  /** The text that this answer goes on from; empty if it goes on from none. */
  readonly said: string
  /** Whether calls with an id of an earlier one get another. */
  readonly repairsIds: boolean
  /** Told of what arrived, as soon as the client may have it. */
  readonly onAddition: (addition: Addition) => void
}

/** One answer of upstream, on its way to the client. */
export interface Attempt {
  /**
   * Takes the next frame.
   *
   * @throws MillraceError the fault, if the answer cannot go on
   */
  take(frame: Frame): void
  /** Whether the client has anything of the block of this index in the attempt. */
  hasSent(index: number): boolean
  /** Sends what is kept of an answer that broke and was not sent yet. */
  keep(blocks: readonly AccumulatedBlock[]): void
  /** Sends the rest of an answer that is whole, however the connection ended. Throws what is wrong with it. */
  finish(): void
  /** Whether the answer is whole, and nothing can add to it. */
  readonly ended: boolean
  readonly whole: boolean
  /** What arrived, without what repeats `said`. */
  readonly blocks: readonly AccumulatedBlock[]
  readonly message: AssistantMessage | undefined
}
