import { fault } from '../protocol/faults.ts'

/** The longest line or frame taken, in UTF-16 code units. Search results are about 50 kB, a file of a server tool more. */
const maxLength = 64 * 1024 * 1024

export interface SseParser {
  /**
   * The data of the events that `chunk` completes; their `event:` says nothing that the data does not. Throws `garbage`
   * at a line that no event stream has, after yielding what stood before it, so that a turn can still be salvaged.
   */
  push(chunk: Uint8Array): Generator<string, void, void>
}

/**
 * Parses server-sent events from bytes cut anywhere, also inside a UTF-8 sequence or a CRLF. A frame without its final
 * blank line is never given: it may be half a frame. Linear: a line that arrives in a thousand chunks is joined once.
 */
export function createSseParser(): SseParser {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let pieces: string[] = []
  let pending = 0
  let afterCarriageReturn = false
  let data: string[] = []
  let dataLength = 0

  /** Throws where more is held than any answer needs: the other side may never end its line, or its frame. */
  function limit(held: number): void {
    if (held > maxLength) throw fault('buffer_overflow')
  }

  function decode(chunk: Uint8Array): string {
    let text: string
    try {
      text = decoder.decode(chunk, { stream: true })
    } catch (cause) {
      throw fault('garbage', { cause })
    }
    if (afterCarriageReturn && text.startsWith('\n')) text = text.slice(1)
    if (text !== '') afterCarriageReturn = text.endsWith('\r')
    return text.includes('\r') ? text.replaceAll(/\r\n?/g, '\n') : text
  }

  /** Takes one line; gives an event's data where the line was the blank one that ends it. */
  function take(line: string): string | undefined {
    if (line === '') {
      const whole = data.length > 0 ? data.join('\n') : undefined
      data = []
      dataLength = 0
      return whole
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const start = line.charAt(colon + 1) === ' ' ? colon + 2 : colon + 1
    const value = colon === -1 ? '' : line.slice(start)
    switch (field) {
      case 'data':
        data.push(value)
        dataLength += value.length + 1
        limit(dataLength)
        break
      case '':
      case 'event':
      case 'id':
      case 'retry':
        break
      default:
        throw fault('garbage')
    }
    return undefined
  }

  return {
    *push(chunk) {
      const text = decode(chunk)
      let start = 0
      for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
        const rest = text.slice(start, end)
        const line = pieces.length === 0 ? rest : pieces.join('') + rest
        pieces = []
        pending = 0
        start = end + 1
        const whole = take(line)
        if (whole !== undefined) yield whole
      }
      if (start < text.length) {
        pieces.push(text.slice(start))
        pending += text.length - start
        limit(pending)
      }
    },
  }
}
