import { abortable } from './abortable.ts'
import type { ProgressSink } from './nested.ts'
import { createTail } from './tail.ts'

export interface FromStreamOptions {
  readonly progress: ProgressSink
  /** Cancels the stream; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** The number of bytes to expect, such as a `content-length`. Default: unknown. */
  readonly total?: number
  /** How much of the end is kept, in UTF-16 code units. Default: 100,000. */
  readonly maxTail?: number
}

/** A summary of what came through a stream. */
export interface StreamSummary {
  /** The end of the text. */
  readonly tail: string
  /** Whether the text was longer than `tail`. */
  readonly truncated: boolean
  readonly bytes: number
}

/**
 * Reads a stream of bytes (UTF-8) or text to its end, and reports the number of bytes. `maxTail` bounds its memory.
 *
 * @throws the signal's reason, and the error of the stream
 */
export async function fromStream(
  stream: ReadableStream<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
  { progress, signal, total, maxTail = 100_000 }: FromStreamOptions,
): Promise<StreamSummary> {
  const tail = createTail(maxTail)
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const encoder = new TextEncoder()
  const of = total === undefined ? {} : { total }
  let bytes = 0
  for await (const chunk of abortable(stream, signal)) {
    bytes += typeof chunk === 'string' ? encoder.encode(chunk).length : chunk.length
    tail.push(typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))
    progress({ progress: bytes, ...of })
  }
  tail.push(decoder.decode())
  return { tail: tail.text(), truncated: tail.truncated, bytes }
}
