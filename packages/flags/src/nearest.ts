/** The one of `known` that was probably meant by `given`; undefined where none is near. */
export function nearestOf(given: string, known: readonly string[]): string | undefined {
  const word = given.toLowerCase()
  const ranked = known
    .map((name) => ({ name, distance: distanceOf(word, name.toLowerCase()) }))
    .toSorted((one, other) => one.distance - other.distance)
  const [best] = ranked
  // One slip in three letters: beyond that it is another word.
  if (best !== undefined && best.distance <= Math.max(1, Math.floor(best.name.length / 3))) return best.name
  return known.find((name) => name.length > 2 && word.startsWith(name.toLowerCase()))
}

/** A long key is no slip of a short one, and the table below grows with its length. */
const longest = 64

/** How many letters must be put in, left out, replaced, or swapped with their neighbour. */
function distanceOf(one: string, other: string): number {
  if (one.length > longest || other.length > longest) return Infinity
  let beforeLast: number[] = []
  let last = Array.from({ length: other.length + 1 }, (_, column) => column)
  for (let row = 1; row <= one.length; row++) {
    const current = [row]
    for (let column = 1; column <= other.length; column++) {
      const same = one[row - 1] === other[column - 1]
      const swapped = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1]
      current[column] = Math.min(
        (last[column] ?? Infinity) + 1,
        (current[column - 1] ?? Infinity) + 1,
        (last[column - 1] ?? Infinity) + (same ? 0 : 1),
        swapped ? (beforeLast[column - 2] ?? Infinity) + 1 : Infinity,
      )
    }
    beforeLast = last
    last = current
  }
  return last[other.length] ?? Infinity
}
