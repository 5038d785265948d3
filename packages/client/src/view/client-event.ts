import type { DecodedEvent } from '@millrace/wire'

/** Tells the consumer to drop everything received so far. The run's events then follow from the first. */
export interface StreamReset {
  readonly type: 'reset'
  readonly seq: 0
  /** `gone`: the server no longer has the events after the cursor. `mismatch`: a block's text is not what was sent. */
  readonly reason: 'gone' | 'mismatch'
}

/** An event of a stream: an event of the run, one of a type that this version does not know, or a reset. */
export type ClientEvent = DecodedEvent | StreamReset
