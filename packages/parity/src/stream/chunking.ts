/** How a replayed answer is cut: its text into deltas, and its bytes into chunks. */
export type Chunking =
  /** One delta a block, one chunk in all. */
  | { readonly kind: 'whole' }
  /** A word a delta, an event a chunk. */
  | { readonly kind: 'events' }
  /** A word a delta, a byte a chunk. */
  | { readonly kind: 'bytes' }
  /** Both at random, the same from the same seed. */
  | { readonly kind: 'random'; readonly seed: number }

/** Beyond that many pieces, `bytes` cuts larger ones: an answer of many megabytes would take minutes. */
export const maxPieces = 200_000

/** The pieces of a text that stand in a delta each. Together they are the text; no piece ends inside a code point. */
export function cutText(text: string, chunking: Chunking): string[] {
  if (text === '') return []
  switch (chunking.kind) {
    case 'whole':
      return [text]
    case 'events':
    case 'bytes':
      return text.match(/\s*\S+|\s+$/gu) ?? [text]
    case 'random': {
      const random = seededRandom(chunking.seed)
      const pieces: string[] = []
      for (let start = 0; start < text.length;) {
        const end = start + 1 + Math.floor(random() * 12)
        // Not between the two halves of a surrogate pair.
        const isSplit = /^[\uD800-\uDBFF][\uDC00-\uDFFF]/.test(text.slice(end - 1, end + 1))
        pieces.push(text.slice(start, isSplit ? end + 1 : end))
        start = isSplit ? end + 1 : end
      }
      return pieces
    }
  }
}

/** The chunks in which the stream's bytes are sent. Together they are its bytes. */
export function* cutBytes(sse: string, chunking: Chunking): Generator<Uint8Array, void, void> {
  const encoder = new TextEncoder()
  if (chunking.kind === 'events') {
    for (const frame of sse.split(/(?<=\n\n|\r\n\r\n|\r\r)/)) if (frame !== '') yield encoder.encode(frame)
    return
  }
  const bytes = encoder.encode(sse)
  const size = sizes(chunking, bytes.length)
  for (let start = 0; start < bytes.length;) {
    const end = start + size()
    yield bytes.subarray(start, end)
    start = end
  }
}

function sizes(chunking: Exclude<Chunking, { kind: 'events' }>, length: number): () => number {
  switch (chunking.kind) {
    case 'whole':
      return () => length
    case 'bytes': {
      const size = Math.max(1, Math.ceil(length / maxPieces))
      return () => size
    }
    case 'random': {
      const random = seededRandom(chunking.seed)
      // Small chunks and large ones: cuts inside a character, a line, and over many events.
      return () => 1 + Math.floor(random() ** 3 * Math.max(64, length / 8))
    }
  }
}

/** Numbers in [0, 1), the same from the same seed: a multiply-with-carry generator, not for secrets. */
function seededRandom(seed: number): () => number {
  let low = seed >>> 0 || 0x9e3779b9
  let high = ~low >>> 0
  return () => {
    high = (36_969 * (high & 0xffff) + (high >>> 16)) >>> 0
    low = (18_000 * (low & 0xffff) + (low >>> 16)) >>> 0
    return (((high << 16) + (low & 0xffff)) >>> 0) / 0x1_0000_0000
  }
}
