// Line breaks to some parsers of lines, though not to SSE, and legal inside JSON strings: Python's `splitlines` breaks a
// stream at them. JSON.stringify escapes the others.
const lineSeparators = /[\u0085\u2028\u2029]/g

/** JSON on one line, by anybody's idea of a line. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(
    lineSeparators,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
