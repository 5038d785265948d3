import { type Clock, systemClock } from '@millrace/core'
import type { StreamEncoder } from './stream-encoder.ts'
import { type Beat, withHeartbeat } from './with-heartbeat.ts'

export interface EncodeStreamOptions {
  /** Ends the stream at once. Needed to leave while nothing arrives. */
  readonly signal?: AbortSignal
  /** Quiet time before a heartbeat, in milliseconds. Default: 15,000. */
  readonly heartbeatMs?: number
  /** Default: the system's. */
  readonly clock?: Clock
}

/**
 * The bytes of a response: one chunk for each batch of events, heartbeats in between. What is not asked for is not read
 * from `batches`, so a slow reader slows its source.
 */
export async function* encodeStream<Item>(
  encoder: StreamEncoder<Item>,
  batches: AsyncIterable<readonly Item[]>,
  { signal, heartbeatMs = 15_000, clock = systemClock }: EncodeStreamOptions = {},
): AsyncIterable<Uint8Array> {
  const bytes = new TextEncoder()
  const opening = encoder.open()
  if (opening !== '') yield bytes.encode(opening)
  for await (const beat of withHeartbeat(batches, { clock, everyMs: heartbeatMs, signal })) {
    const text = encodeBeat(encoder, beat)
    if (text !== '') yield bytes.encode(text)
  }
  const closing = signal?.aborted === true ? '' : encoder.close()
  if (closing !== '') yield bytes.encode(closing)
}

function encodeBeat<Item>(encoder: StreamEncoder<Item>, beat: Beat<readonly Item[]>): string {
  return beat.quiet ? encoder.heartbeat() : encoder.encode(beat.value)
}
