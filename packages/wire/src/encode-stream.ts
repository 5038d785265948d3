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
export function encodeStream<Item>(
  encoder: StreamEncoder<Item>,
  batches: AsyncIterable<readonly Item[]>,
  { signal, heartbeatMs = 15_000, clock = systemClock }: EncodeStreamOptions = {},
): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const bytes = new TextEncoder()
      const chunk = (text: string) => ({ done: false as const, value: bytes.encode(text) })
      let isOpen = false
      let isClosed = false
      const beats = withHeartbeat(batches, { clock, everyMs: heartbeatMs, signal })
      return {
        async next() {
          const opening = isOpen ? '' : encoder.open()
          isOpen = true
          if (opening !== '') return chunk(opening)
          while (!isClosed) {
            const { done, value } = await beats.next()
            if (done === true) isClosed = true
            const text = done === true ? closing(encoder, signal) : encodeBeat(encoder, value)
            if (text !== '') return chunk(text)
          }
          return { done: true, value: undefined }
        },
        async return() {
          isClosed = true
          await beats.return?.()
          return { done: true, value: undefined }
        },
      }
    },
  }
}

function closing(encoder: StreamEncoder<never>, signal: AbortSignal | undefined): string {
  return signal?.aborted === true ? '' : encoder.close()
}

function encodeBeat<Item>(encoder: StreamEncoder<Item>, beat: Beat<readonly Item[]>): string {
  return beat.quiet ? encoder.heartbeat() : encoder.encode(beat.value)
}
