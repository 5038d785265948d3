import type { RequestBody } from './model-client.ts'

/** An event of the Messages API's stream, or one made from a whole answer. */
export interface StreamEvent {
  readonly type: string
  readonly [field: string]: unknown
}

export interface SourceOptions {
  readonly signal: AbortSignal
  /** Undefined where the reader keeps up, else what to wait for before the next read. */
  readonly ready: () => Promise<void> | undefined
  /** Told of a connection that is read on in the background; the promise resolves, soon, when it is let go. */
  readonly onDrain: (drained: Promise<void>) => void
}

/**
 * Where a turn comes from. Gives the events of one answer in batches, one for each read of the socket, and throws a
 * MillraceError of a fault code where it breaks off. It ends without one when the body ends, whole or not: only the
 * accumulator knows.
 */
export interface TurnSource {
  open(request: RequestBody, options: SourceOptions): AsyncIterable<readonly StreamEvent[]>
}
