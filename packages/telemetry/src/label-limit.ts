/** The label of every value beyond the limit. */
export const other = 'other'

/** Longer values are cut, because a label is a name and not a text. */
const maxLength = 200

/** Limits the values of a label: returns the first `max` values as they are, and `other` for every later one. */
export function createLabelLimit(max: number): (value: string) => string {
  const known = new Set<string>()
  return (value) => {
    const name = value.length > maxLength ? value.slice(0, maxLength) : value
    if (known.has(name)) return name
    if (known.size >= max) return other
    known.add(name)
    return name
  }
}
