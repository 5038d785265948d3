import { styleText } from 'node:util'

/** How a piece of text is set off from others. */
export type Look = 'text' | 'dim' | 'strong' | 'good' | 'bad' | 'notice'

const formats = {
  dim: 'dim',
  strong: 'bold',
  good: 'green',
  bad: 'red',
  notice: 'yellow',
} as const

/** `text` with the escape sequences of its look; for terminals only. */
export function paint(look: Look, text: string): string {
  return look === 'text' || text === '' ? text : styleText(formats[look], text, { validateStream: false })
}

/**
 * `text` without control characters, one character for each: what a model or a file says must not move the cursor or
 * rename the window. Line breaks and tabs stay.
 */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => {
    if (character === '\n' || character === '\t') return character
    return character === '\r' ? ' ' : '\ufffd'
  })
}

/** `text` on one line, and no longer than `limit` characters. */
export function shorten(text: string, limit: number): string {
  const flat = printable(text).replace(/\s+/g, ' ').trim()
  return flat.length <= limit ? flat : `${flat.slice(0, limit - 1)}…`
}

/** Says that `text`, which was shown, is withdrawn. */
export function describeWithdrawal(text: string): string {
  return `[withdrawn, ${text.length} characters: ${JSON.stringify(shorten(text, 160))}]`
}
