/** Compares the beginning of a text, piece by piece, with text that was said before it. */
export interface RepetitionMatch {
  /**
   * Takes the next piece. Returns how many UTF-16 code units of the text, from its beginning, are a repetition; undefined
   * as long as more of it has to be known.
   */
  take(piece: string): number | undefined
  /** Returns the same for a text that is over. */
  end(): number
}

interface Candidate {
  /** Where in the text that was said the repetition begins. */
  readonly from: number
  /** Whether it only counts if no letter follows that makes its last word a longer one. */
  readonly wholeWord: boolean
}

/**
 * Finds the repetition of `said` at the beginning of a text that should have gone on from it. A repetition runs to the very
 * end of `said`, and counts only if it can hardly be meant:
 *
 * - from the beginning of `said`, with or without white space before it: if it has two different words, six different
 *   letters, or is one whole word. "The" and "The card" is a repetition; "1" and "10 apples", or "*" and "*bold*", is not.
 * - from a later word on: if it has two different words or six different letters, and if the two texts would otherwise grow
 *   together into one word. "… was sen" and "was sent" is a repetition; a line that is said twice is not.
 */
export function matchRepetition(said: string): RepetitionMatch {
  const start = said.search(/\S/)
  let candidates = findCandidates(said, start)
  /** How much white space stands before the repetition. */
  let lead = 0
  /** How much of the text behind that has been compared. */
  let matched = 0
  /** The length of the longest repetition so far. */
  let found = 0

  const count = ({ from }: Candidate): number => lead + said.length - from

  /** Whether the candidate may still be one after `text`. */
  function goesOn(candidate: Candidate, text: string): boolean {
    const { from, wholeWord } = candidate
    const rest = said.length - from - matched
    if (lead > 0 && from > start) return false
    if (!said.startsWith(text.slice(0, rest), from + matched)) return false
    if (text.length < rest || (wholeWord && text.length === rest)) return true
    if (!wholeWord || !isWord(text.charAt(rest))) found = Math.max(found, count(candidate))
    return false
  }

  return {
    take(piece) {
      const text = matched === 0 ? piece.trimStart() : piece
      lead += piece.length - text.length
      candidates = candidates.filter((candidate) => goesOn(candidate, text))
      matched += text.length
      return candidates.length === 0 ? found : undefined
    },
    end() {
      const whole = candidates.find(({ from }) => from + matched === said.length)
      return whole === undefined ? found : count(whole)
    },
  }
}

/** Returns `text` without the repetition of `said` at its beginning. */
export function withoutRepetition(said: string, text: string): string {
  const match = matchRepetition(said)
  return text.slice(match.take(text) ?? match.end())
}

/** Reads the text of a part of an answer, and replaces it by a shorter one: with nothing if the part is to go. */
export interface TextAccess<Part> {
  textIn(part: Part): string
  withText(part: Part, text: string): Part | undefined
}

/** Returns the parts of an answer without the first `count` UTF-16 code units of their text. */
export function cutText<Part>(parts: readonly Part[], count: number, access: TextAccess<Part>): readonly Part[] {
  let left = count
  return parts.flatMap((part) => {
    const text = access.textIn(part)
    const cut = Math.min(left, text.length)
    left -= cut
    return cut === 0 ? [part] : (access.withText(part, text.slice(cut)) ?? [])
  })
}

function findCandidates(said: string, start: number): Candidate[] {
  const isCut = isWord(said.slice(-1))
  const words = [...said.matchAll(/[\p{L}\p{N}]+/gu)]
  const evident = lastEvident(words)
  const isEvident = evident > -1
  const whole = isEvident || /\p{L}/u.test(said) ? [{ from: start, wholeWord: isCut && !isEvident }] : []
  const later = words.slice(0, isCut ? evident + 1 : 0).filter(({ index }) => index > start)
  return [...whole, ...later.map(({ index }) => ({ from: index, wholeWord: false }))]
}

/** Returns the last of the words from which on there are two different ones, or six different letters; -1 for none. */
function lastEvident(words: readonly RegExpExecArray[]): number {
  const different = new Set<string>()
  const letters = new Set<string>()
  return words.findLastIndex(([word]) => {
    const found = word.match(/\p{L}/gu) ?? []
    if (found.length > 0) different.add(word)
    for (const letter of found) letters.add(letter)
    return different.size > 1 || letters.size > 5
  })
}

function isWord(character: string): boolean {
  return /^[\p{L}\p{N}]$/u.test(character)
}
