import { seededRandom } from '../kit/random.ts'

/**
 * How the bytes of a stream are cut into chunks.
 * - `whole`: all at once
 * - `events`: an event each
 * - `bytes`: a byte each; more in a stream of over 200,000 bytes, which would take minutes
 * - `{ seed }`: small chunks and large ones at random, the same from the same seed
 */
export type ByteChunking = 'whole' | 'events' | 'bytes' | { readonly seed: number }

const maxChunks = 200_000

/** Returns the bytes of `sse` in chunks. Together they are its UTF-8; a chunk may end inside a character. */
export function* chunkBytes(sse: string, chunking: ByteChunking): Generator<Uint8Array, void, void> {
  const encoder = new TextEncoder()
  if (chunking === 'events') {
    for (const event of sse.split(/(?<=\n\n|\r\n\r\n|\r\r)/)) if (event !== '') yield encoder.encode(event)
    return
  }
  const bytes = encoder.encode(sse)
  const nextSize = chunkSizes(chunking, bytes.length)
  for (let start = 0; start < bytes.length;) {
    const end = start + nextSize()
    yield bytes.subarray(start, end)
    start = end
  }
}

function chunkSizes(chunking: Exclude<ByteChunking, 'events'>, length: number): () => number {
  if (chunking === 'whole') return () => length
  if (chunking === 'bytes') {
    const size = Math.max(1, Math.ceil(length / maxChunks))
    return () => size
  }
  const random = seededRandom(chunking.seed)
  // Cubed, so that most chunks end inside a line or a character, and some hold many events.
  return () => 1 + Math.floor(random() ** 3 * Math.max(64, length / 8))
}
