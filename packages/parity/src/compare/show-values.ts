import type { ValueDifference } from './differences.ts'

/** Returns both values as JSON of at most `width` characters, cut to where they begin to differ. */
export function showBoth(difference: Omit<ValueDifference, 'path'>, width: number): [string, string] {
  const expected = 'expected' in difference ? show(difference.expected) : 'nothing'
  const actual = 'actual' in difference ? show(difference.actual) : 'nothing'
  let same = 0
  while (same < expected.length && expected[same] === actual[same]) same++
  // A little of the equal part shows where in the value the difference is.
  const from = Math.max(expected.length, actual.length) <= width ? 0 : Math.max(0, same - Math.floor(width / 4))
  return [cut(expected, from, width), cut(actual, from, width)]
}

function show(value: unknown): string {
  // Control characters of a model's text must not reach a terminal, and JSON does not escape these.
  return (JSON.stringify(value) ?? 'undefined').replaceAll(/[\u007F-\u009F]/g, (code) => {
    return `\\u${code.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

function cut(text: string, from: number, width: number): string {
  const end = from + width
  return `${from > 0 ? '…' : ''}${text.slice(from, end)}${end < text.length ? '…' : ''}`
}
