import { fault } from '../protocol/faults.ts'

/** The longest line or frame taken, in UTF-16 code units. Search results are about 50 kB, a file of a server tool more. */
const maxLength = 64 * 1024 * 1024

export interface SseParser {
  /**
   * Yields the data of the events that `chunk` completes. Their `event:` field says nothing that the data does not,
   * except of a ping, whose data is not read: it is always that of a ping.
   *
   * @throws MillraceError `garbage` at bytes that are not UTF-8, `buffer_overflow`
   */
  push(chunk: Uint8Array): Generator<string, void, void>
}

/** What gateways send as the data of their pings differs, and means nothing. */
const pingData = '{"type":"ping"}'

/**
 * Parses server-sent events as the HTML standard says, from bytes cut anywhere, also inside a UTF-8 sequence or a CRLF.
 * Fields that it does not know are ignored, comments and a byte order mark too. An event without its final blank line
 * is never given, since it may be half an event. Linear: a line that arrives in a thousand chunks is joined once.
 *
 * One thing is stricter than the standard: bytes that are not UTF-8 are refused instead of replaced, because replaced
 * text would enter history unnoticed.
 */
export function createSseParser(): SseParser {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let pieces: string[] = []
  let pending = 0
  let afterCarriageReturn = false
  let data: string[] = []
  let dataLength = 0
  let isPing = false

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
    // Half a character may be all that came.
    if (text === '') return text
    const isRestOfEnding = afterCarriageReturn && text.startsWith('\n')
    afterCarriageReturn = text.endsWith('\r')
    if (isRestOfEnding) text = text.slice(1)
    return text.includes('\r') ? text.replaceAll(/\r\n?/g, '\n') : text
  }

  /** Takes one line. Returns an event's data where the line was the blank one that ends it. */
  function take(line: string): string | undefined {
    if (line === '') {
      const whole = data.length > 0 ? (isPing ? pingData : data.join('\n')) : undefined
      data = []
      dataLength = 0
      isPing = false
      return whole
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const start = line.charAt(colon + 1) === ' ' ? colon + 2 : colon + 1
    const value = colon === -1 ? '' : line.slice(start)
    if (field === 'event') isPing = value === 'ping'
    if (field !== 'data') return undefined
    data.push(value)
    dataLength += value.length + 1
    limit(dataLength)
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
