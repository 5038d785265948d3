import { charactersOf, columnsOf, expandTabs } from './columns.ts'

/** A row of wrapped text: where it stands in the text. Spaces between two rows belong to neither. */
export interface Row {
  readonly start: number
  readonly end: number
}

/**
 * Wraps text into rows of at most `width` columns, at spaces. A word is broken only where it is wider than a row. More
 * text behind it changes the last row only.
 */
export function wrapText(text: string, width: number): readonly Row[] {
  const rows: Row[] = []
  let offset = 0
  for (const line of text.split('\n')) {
    for (const { start, end } of wrapLine(line, width)) rows.push({ start: offset + start, end: offset + end })
    offset += line.length + 1
  }
  return rows
}

function wrapLine(line: string, width: number): readonly Row[] {
  const rows: Row[] = []
  let start = 0
  let end = 0
  let column = 0

  /** Ends the row, unless it is empty, and begins the next one. */
  function breakAt(next: number): void {
    if (end > start) rows.push({ start, end })
    start = next
    end = next
    column = 0
  }

  for (const { 0: word, index } of line.matchAll(/[^ \t]+/g)) {
    const columns = columnsOf(word)
    const from = column + columnsOf(expandTabs(line.slice(end, index), column))
    if (from + columns <= width) {
      end = index + word.length
      column = from + columns
      continue
    }
    if (columns <= width || from >= width) breakAt(index)
    else {
      end = index
      column = from
    }
    for (const character of charactersOf(word)) {
      const more = columnsOf(character)
      if (column > 0 && column + more > width) breakAt(end)
      end += character.length
      column += more
    }
  }
  return [...rows, { start, end }]
}
