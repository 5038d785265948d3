/** What a value is called that came after the limit. */
export const other = 'other'

/** Longer values are cut: a label is a name, not a text. */
const maxLength = 200

/** Keeps the values of a label few: the first `max` are passed, every later one is `other`. */
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
