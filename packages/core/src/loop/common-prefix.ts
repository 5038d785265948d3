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

/** Whether a text ends with the first half of a surrogate pair. */
export function endsInHalfPair(text: string): boolean {
  const code = text.charCodeAt(text.length - 1)
  return code >= 0xd800 && code <= 0xdbff
}
