import type { Cassette } from './cassette.ts'

/** Returns the text of a cassette file, with one exchange a line, so that version control shows what changed. */
export function formatCassette({ exchanges, ...head }: Cassette): string {
  const lines = exchanges.map((exchange) => `    ${JSON.stringify(exchange)}`)
  const fields = Object.entries(head).map(([field, value]) => `  ${JSON.stringify(field)}: ${JSON.stringify(value)},`)
  return `{\n${fields.join('\n')}\n  "exchanges": [\n${lines.join(',\n')}\n  ]\n}\n`
}
