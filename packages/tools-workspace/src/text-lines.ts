/** The lines of a text; what ends with a line break has no empty line after it. */
export function splitLines(text: string): string[] {
  if (text === '') return []
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/** Lines with their numbers, as `cat -n` has them. */
export function numberLines(lines: readonly string[], first: number): string {
  return lines.map((line, index) => `${String(first + index).padStart(6)}\t${line}`).join('\n')
}

/** The start of `text`, at most `max` UTF-16 code units, and a note where there is more. */
export function clip(text: string, max: number, note: string): string {
  if (text.length <= max) return text
  const end = /[\uD800-\uDBFF]/.test(text.charAt(max - 1)) ? max - 1 : max
  return `${text.slice(0, end)}\n[${note}]`
}
