import { columnsOf, expandTabs } from './columns.ts'
import { type Look, paint } from './look.ts'

/** The end of a text that is still growing, in pieces of different looks. */
export interface RunningText {
  /** Without its looks. */
  readonly plain: string
  /** One row of it, with the escape sequences of its looks, and spaces instead of tabs. */
  painted(start: number, end: number): string
  append(text: string, look: Look): void
  /** Removes the first `count` characters. */
  dropFront(count: number): void
  /** Removes the last `count` characters, or all there are. */
  dropEnd(count: number): void
}

interface Piece {
  readonly look: Look
  readonly text: string
}

export function createRunningText(): RunningText {
  let pieces: readonly Piece[] = []

  const plain = (): string => pieces.map(({ text }) => text).join('')

  function between(start: number, end: number): readonly Piece[] {
    let offset = 0
    return pieces.flatMap(({ look, text }) => {
      const part = text.slice(Math.max(0, start - offset), Math.max(0, end - offset))
      offset += text.length
      return part === '' ? [] : [{ look, text: part }]
    })
  }

  return {
    get plain() {
      return plain()
    },
    painted(start, end) {
      let column = 0
      const parts = between(start, end).map(({ look, text }) => {
        const shown = expandTabs(text, column)
        column += columnsOf(shown)
        return paint(look, shown)
      })
      return parts.join('')
    },
    append(text, look) {
      const last = pieces.at(-1)
      if (last?.look === look) pieces = [...pieces.slice(0, -1), { look, text: last.text + text }]
      else pieces = [...pieces, { look, text }]
    },
    dropFront(count) {
      pieces = between(count, Number.POSITIVE_INFINITY)
    },
    dropEnd(count) {
      pieces = between(0, Math.max(0, plain().length - count))
    },
  }
}
