import { endsInHalfPair } from '../kit/well-formed.ts'

/** Returns how many code units of `text` are the same as those of `shown` from `from` on. */
export function commonPrefix(shown: string, from: number, text: string): number {
  if (shown.startsWith(text, from)) return text.length
  let same = 0
  while (same < text.length && shown.charCodeAt(from + same) === text.charCodeAt(same)) same++
  return same
}

/** Returns `offset`, or the offset before it if it would part the halves of a surrogate pair. */
export function beforeHalfPair(text: string, offset: number): number {
  return endsInHalfPair(text.slice(0, offset)) ? offset - 1 : offset
}
