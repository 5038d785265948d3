import type { DecodedEvent } from '@millrace/wire'

/** Everything received so far is void: the run's events come again from the first. */
export interface StreamReset {
  readonly type: 'reset'
  readonly seq: 0
  /** `gone`: the server no longer has the events after our cursor. `mismatch`: a block's text was not what was sent. */
  readonly reason: 'gone' | 'mismatch'
}

/** What following a run gives: its events, those of types that this version does not know, and resets. */
export type ClientEvent = DecodedEvent | StreamReset
