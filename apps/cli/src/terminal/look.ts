import { styleText } from 'node:util'
import { columnsOf, fit } from './columns.ts'

/** How a piece of text is set off from others. */
export type Look = 'text' | 'dim' | 'strong' | 'good' | 'bad' | 'notice'

const formats = {
  dim: 'dim',
  strong: 'bold',
  good: 'green',
  bad: 'red',
  notice: 'yellow',
} as const

/** Adds the escape sequences of its look to `text`. For terminals only. */
export function paint(look: Look, text: string): string {
  return look === 'text' || text === '' ? text : styleText(formats[look], text, { validateStream: false })
}

/**
 * Replaces each control character of `text` by one that is shown, so that what a model or a file says cannot move the
 * cursor or rename the window. Line breaks and tabs stay.
 */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => {
    if (character === '\n' || character === '\t') return character
    return character === '\r' ? ' ' : '\ufffd'
  })
}

/** Puts `text` on one line of at most `columns`, with an ellipsis where something is left out. */
export function shorten(text: string, columns: number): string {
  const flat = printable(text).replace(/\s+/g, ' ').trim()
  if (columnsOf(flat) <= columns) return flat
  return columns < 1 ? '' : `${fit(flat, columns - 1)}…`
}

/** Says that `text`, which was shown, is retracted. */
export function describeRetraction(text: string): string {
  return `[retracted, ${text.length} characters: ${JSON.stringify(shorten(text, 160))}]`
}
