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
  /** What must follow it: anything, or no letter that makes its last word a longer one. */
  readonly ends: 'anywhere' | 'at a word'
  /** How much white space stands before the repetition; undefined where none may. */
  lead: number | undefined
  /** How much of it has been compared, and was equal. */
  matched: number
}

/**
 * Finds the repetition of `said` at the beginning of a text that should have gone on from it. A repetition runs to the very
 * end of `said`, and counts only where it can hardly be meant:
 *
 * - from the beginning of `said`, with or without white space before it: if it has two different words, six different
 *   letters, or is one whole word. "The" and "The card" is a repetition; "1" and "10 apples", or "*" and "*bold*", is not.
 * - from a later word on: if it has two different words or six different letters, and if the two texts would otherwise grow
 *   together into one word. "… was sen" and "was sent" is a repetition; a line that is said twice is not.
 */
export function matchRepetition(said: string): RepetitionMatch {
  let candidates = findCandidates(said)
  /** The length of the longest repetition so far. */
  let found = 0

  const count = ({ from, lead = 0 }: Candidate): number => lead + said.length - from

  /** Whether the candidate may still be one, after `piece`. */
  function goesOn(candidate: Candidate, piece: string): boolean {
    let text = piece
    if (candidate.matched === 0 && candidate.lead !== undefined) {
      text = piece.trimStart()
      candidate.lead += piece.length - text.length
    }
    const rest = said.length - candidate.from - candidate.matched
    const compared = text.slice(0, rest)
    if (!said.startsWith(compared, candidate.from + candidate.matched)) return false
    candidate.matched += compared.length
    if (compared.length < rest) return true
    if (candidate.ends === 'at a word' && text.length === rest) return true
    if (candidate.ends === 'at a word' && isWord(text.charAt(rest))) return false
    found = Math.max(found, count(candidate))
    return false
  }

  return {
    take(piece) {
      candidates = candidates.filter((candidate) => goesOn(candidate, piece))
      // Only a longer one can change what is known, and those stand first.
      candidates = candidates.filter((candidate) => count(candidate) > found)
      return candidates.length === 0 ? found : undefined
    },
    end() {
      const whole = candidates.filter(({ from, matched }) => from + matched === said.length)
      return Math.max(found, ...whole.map(count))
    },
  }
}

/** Returns `text` without the repetition of `said` at its beginning. */
export function withoutRepetition(said: string, text: string): string {
  const match = matchRepetition(said)
  return text.slice(match.take(text) ?? match.end())
}

function findCandidates(said: string): Candidate[] {
  const start = said.search(/\S/)
  if (start === -1) return []
  const isCut = isWord(said.slice(-1))
  const words = [...said.matchAll(/[\p{L}\p{N}]+/gu)]
  const evident = lastEvident(words)
  const whole: Candidate[] = []
  if (evident > -1) whole.push({ from: start, ends: 'anywhere', lead: 0, matched: 0 })
  else if (/\p{L}/u.test(said)) whole.push({ from: start, ends: isCut ? 'at a word' : 'anywhere', lead: 0, matched: 0 })
  if (!isCut) return whole
  const inside = words.slice(0, evident + 1).filter(({ index }) => index > start)
  return [
    ...whole,
    ...inside.map(({ index }): Candidate => ({ from: index, ends: 'anywhere', lead: undefined, matched: 0 })),
  ]
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
