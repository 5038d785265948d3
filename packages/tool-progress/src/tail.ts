/** The end of a text of any length. */
export interface Tail {
  push(text: string): void
  /** Returns the last `max` UTF-16 code units, or one fewer if they would begin inside a surrogate pair. */
  text(max?: number): string
  readonly truncated: boolean
}

/** Keeps the last `max` code units of what is pushed. Holds at most one piece more than that. */
export function createTail(max: number): Tail {
  const pieces: string[] = []
  let kept = 0
  let pushed = 0
  return {
    push(text) {
      if (text === '') return
      pieces.push(text)
      kept += text.length
      pushed += text.length
      for (let first = pieces[0]; first !== undefined && kept - first.length >= max; first = pieces[0]) {
        pieces.shift()
        kept -= first.length
      }
      // Many small pieces cost more than their text, and shift() is slow on a long array. So join them.
      if (pieces.length > 256) pieces.splice(0, pieces.length, pieces.join(''))
    },
    text(wanted = max) {
      const size = Math.min(wanted, max)
      let all = ''
      for (let index = pieces.length - 1; index >= 0 && all.length < size; index -= 1) all = (pieces[index] ?? '') + all
      const end = size === 0 ? '' : all.slice(-size)
      return /^[\uDC00-\uDFFF]/.test(end) && end.length < pushed ? end.slice(1) : end
    },
    get truncated() {
      return pushed > max
    },
  }
}
