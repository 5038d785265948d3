/** Returns the one of `known` that `given` is most likely a misspelling of; undefined if none is close. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const word = given.toLowerCase()
  // One edit in three letters: "recovry" is "recovery", "flags" is not "limits".
  const tolerance = Math.max(1, Math.floor(given.length / 3))
  const ranked = known
    .map((name) => ({ name, distance: editDistance(word, name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const [best] = ranked
  if (best !== undefined && best.distance <= tolerance) return best.name
  // "pollInterval" is "poll".
  return known.find((name) => name.length > 2 && word.startsWith(name.toLowerCase()))
}

/** A longer word is no misspelling of an option, and the time to compare words grows with their length. */
const longest = 64

/** The fewest letters to insert, delete, replace, or swap with their neighbour, to turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  if (a.length > longest) return Infinity
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swaps = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = swaps ? (before[j - 2] ?? Infinity) + 1 : Infinity
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}
