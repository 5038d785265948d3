/** Returns the one of `known` that `given` is most likely a misspelling of; undefined if none is close. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const word = given.toLowerCase()
  // One edit in three letters: "recovry" is "recovery", "flags" is not "limits".
  const tolerance = Math.min(3, Math.max(1, Math.floor(word.length / 3)))
  for (let edits = 1; edits <= tolerance; edits++) {
    const near = known.find((name) => isWithin(edits, word, name.toLowerCase()))
    if (near !== undefined) return near
  }
  // "pollInterval" is "poll".
  return known.find((name) => name.length > 2 && word.startsWith(name.toLowerCase()))
}

/** Whether so many edits turn `a` into `b`: a letter inserted, deleted, replaced, or swapped with its neighbour. */
function isWithin(edits: number, a: string, b: string): boolean {
  if (edits < 0) return false
  if (a === '' || b === '') return a.length + b.length <= edits
  if (a[0] === b[0]) return isWithin(edits, a.slice(1), b.slice(1))
  const isSwap = a[0] === b[1] && a[1] === b[0]
  const next = [[1, 1], [1, 0], [0, 1], ...(isSwap ? [[2, 2]] : [])] as const
  return next.some(([fromA, fromB]) => isWithin(edits - 1, a.slice(fromA), b.slice(fromB)))
}
