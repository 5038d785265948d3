import { seededRandom } from '../kit/random.ts'

/**
 * How the text of a block is cut into deltas. Cuts fall between code points, never inside one.
 * - `words`: one word and the space before it (default)
 * - `whole`: one delta for a block
 * - `{ sizes }`: that many code points in turn, starting over at the end of the list
 * - `{ seed, max }`: 1 to `max` (default 12) code points, at random from the seed
 */
export type Chunking =
  | 'words'
  | 'whole'
  | { readonly sizes: readonly number[] }
  | { readonly seed: number; readonly max?: number }

/** The pieces of `text`, in order; their concatenation is `text`. An empty text has none. */
export function* chunkText(text: string, chunking: Chunking): Generator<string> {
  if (text === '') return
  if (chunking === 'whole') {
    yield text
    return
  }
  if (chunking === 'words') {
    for (const match of text.matchAll(/\s*\S+|\s+$/gu)) yield match[0]
    return
  }
  const nextSize = sizes(chunking)
  let start = 0
  while (start < text.length) {
    const end = advance(text, start, nextSize())
    yield text.slice(start, end)
    start = end
  }
}

function sizes(chunking: Exclude<Chunking, string>): () => number {
  if ('sizes' in chunking) {
    let index = 0
    return () => Math.max(1, chunking.sizes[index++ % chunking.sizes.length] ?? 1)
  }
  const random = seededRandom(chunking.seed)
  const max = chunking.max ?? 12
  return () => 1 + Math.floor(random() * max)
}

/** The index `count` code points after `start`. */
function advance(text: string, start: number, count: number): number {
  let index = start
  for (let step = 0; step < count && index < text.length; step++) {
    const code = text.codePointAt(index) ?? 0
    index += code > 0xffff ? 2 : 1
  }
  return index
}
