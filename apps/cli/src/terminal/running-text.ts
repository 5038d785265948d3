import { type Look, paint } from './look.ts'

/** The end of a text that is still growing, in pieces of different looks. */
export interface RunningText {
  /** Without its looks. */
  readonly plain: string
  /** With the escape sequences of its looks. */
  painted(): string
  append(text: string, look: Look): void
  /** Removes the first `count` characters, and gives them painted. */
  takeFront(count: number): string
  /** Removes the last `count` characters, or all there are. */
  dropEnd(count: number): void
}

interface Piece {
  readonly look: Look
  readonly text: string
}

export function createRunningText(): RunningText {
  let pieces: Piece[] = []

  const plain = (): string => pieces.map(({ text }) => text).join('')
  const painted = (list: readonly Piece[]): string => list.map(({ look, text }) => paint(look, text)).join('')

  /** Both sides of a cut behind `count` characters. */
  function split(count: number): { readonly front: Piece[]; readonly rest: Piece[] } {
    const front: Piece[] = []
    const rest: Piece[] = []
    let left = count
    for (const { look, text } of pieces) {
      if (left > 0) front.push({ look, text: text.slice(0, left) })
      if (text.length > left) rest.push({ look, text: text.slice(left) })
      left = Math.max(0, left - text.length)
    }
    return { front, rest }
  }

  return {
    get plain() {
      return plain()
    },
    painted: () => painted(pieces),
    append(text, look) {
      const last = pieces.at(-1)
      if (last?.look === look) pieces[pieces.length - 1] = { look, text: last.text + text }
      else pieces.push({ look, text })
    },
    takeFront(count) {
      const { front, rest } = split(count)
      pieces = rest
      return painted(front)
    },
    dropEnd(count) {
      pieces = split(Math.max(0, plain().length - count)).front
    },
  }
}
