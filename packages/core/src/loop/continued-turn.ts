import type { Request, TurnFailures } from '../recovery/ladder.ts'

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
