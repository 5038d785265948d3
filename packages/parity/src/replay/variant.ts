import type { ByteChunking, Chunking } from '@millrace/testing/stream'

/** The ways in which a recording is replayed, in this order. */
export const variantNames = ['buffered', 'whole', 'events', 'bytes', 'random', 'http'] as const

/**
 * - `buffered`: each answer in one body, without streaming
 * - `whole`: streamed, everything in one chunk
 * - `events`: streamed, an event a chunk
 * - `bytes`: streamed byte by byte (of large answers in few bytes at a time: at most 200,000 chunks)
 * - `random`: streamed in chunks of random sizes, from a seed
 * - `http`: streamed as `events`, by a server and over a socket; the others are cut exactly, in this process
 */
export type VariantName = (typeof variantNames)[number]

export interface Variant {
  readonly name: VariantName
  readonly mode: 'stream' | 'buffered'
  /** How the texts of an answer are cut into deltas, and the bytes of its stream into chunks. */
  readonly deltas: Chunking
  readonly chunks: ByteChunking
}

export function variantOf(name: VariantName, seed: number): Variant {
  switch (name) {
    case 'buffered':
      return { name, mode: 'buffered', deltas: 'whole', chunks: 'whole' }
    case 'random':
      return { name, mode: 'stream', deltas: { seed }, chunks: { seed } }
    case 'http':
      return { name, mode: 'stream', deltas: 'words', chunks: 'events' }
    case 'whole':
      return { name, mode: 'stream', deltas: 'whole', chunks: 'whole' }
    case 'events':
    case 'bytes':
      return { name, mode: 'stream', deltas: 'words', chunks: name }
  }
}

export function isVariantName(value: unknown): value is VariantName {
  return variantNames.some((name) => name === value)
}
