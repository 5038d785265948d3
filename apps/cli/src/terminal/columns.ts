import stringWidth from 'string-width'

const tabStop = 8
const graphemes = new Intl.Segmenter()

/** The columns that `text` takes on a terminal: two for a wide character, none for an escape sequence. */
export function columnsOf(text: string): number {
  return stringWidth(text)
}

/** `text`, which begins at `column`, with spaces instead of tabs. */
export function expandTabs(text: string, column: number): string {
  const [first = '', ...rest] = text.split('\t')
  return rest.reduce((line, part) => {
    const used = column + columnsOf(line)
    return line + ' '.repeat(tabStop - (used % tabStop)) + part
  }, first)
}

/** The characters of `text` as a reader sees them, each of which may be several code units long. */
export function* charactersOf(text: string): Iterable<string> {
  for (const { segment } of graphemes.segment(text)) yield segment
}

/** The beginning of `text` that fits into `columns`. */
export function fit(text: string, columns: number): string {
  let fitting = ''
  let left = columns
  for (const character of charactersOf(text)) {
    left -= columnsOf(character)
    if (left < 0) break
    fitting += character
  }
  return fitting
}
