import { createSseParser, fault, noteEvent, parseEvent, type StreamEvent, type Watchdog } from '@millrace/core/recovery'

/** A part of the stream up to and including its blank line. */
export interface Frame {
  /** As it arrived. Undefined if it was made from an answer in one body. */
  readonly bytes: Uint8Array | undefined
  /** Undefined for a frame without data, such as a comment. */
  readonly event: StreamEvent | undefined
}

/** The most bytes that a frame may have, as of an event. */
const maxFrame = 64 * 1024 * 1024

const lineFeed = 10
const carriageReturn = 13

/**
 * Cuts the bytes of a stream into frames and parses each once. Only whole frames are given: half of one could not be
 * taken back from a client when the connection breaks.
 *
 * @throws MillraceError the fault, at the frame that holds it
 */
export function createFrameReader(): (
  chunk: Uint8Array,
  watchdog: Watchdog | undefined,
  requestId: string | undefined,
) => Generator<Frame, void, void> {
  const parser = createSseParser()
  const findEnd = createBlankLineFinder()
  let pieces: Uint8Array[] = []
  let pending = 0

  function read(bytes: Uint8Array, watchdog: Watchdog | undefined, requestId: string | undefined): Frame {
    let event: StreamEvent | undefined
    for (const data of parser.push(bytes)) {
      event = parseEvent(data)
      noteEvent(event, watchdog, requestId)
    }
    return { bytes, event }
  }

  return function* take(chunk, watchdog, requestId) {
    let start = 0
    for (let end = findEnd(chunk, 0); end !== -1; end = findEnd(chunk, end)) {
      const rest = chunk.subarray(start, end)
      const bytes = pieces.length === 0 ? rest : join([...pieces, rest])
      pieces = []
      pending = 0
      start = end
      yield read(bytes, watchdog, requestId)
    }
    if (start === chunk.length) return
    pieces.push(chunk.subarray(start))
    pending += chunk.length - start
    if (pending > maxFrame) throw fault('buffer_overflow')
  }
}

/** Returns a function that gives the offset behind the next blank line, or -1; it remembers how the last chunk ended. */
function createBlankLineFinder(): (chunk: Uint8Array, from: number) => number {
  let lineIsEmpty = true
  let afterCarriageReturn = false
  /** The last frame ended with a carriage return at the end of its chunk; a line feed may still belong to it. */
  let mayGoOn = false
  return (chunk, from) => {
    const goesOn = mayGoOn && chunk[from] === lineFeed
    if (from < chunk.length) mayGoOn = false
    if (goesOn) {
      afterCarriageReturn = false
      return from + 1
    }
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]
      if (byte === lineFeed && afterCarriageReturn) {
        afterCarriageReturn = false
      } else if (byte === lineFeed || byte === carriageReturn) {
        afterCarriageReturn = byte === carriageReturn
        if (lineIsEmpty) {
          mayGoOn = afterCarriageReturn && at + 1 === chunk.length
          if (!afterCarriageReturn || chunk[at + 1] !== lineFeed) return at + 1
          afterCarriageReturn = false
          return at + 2
        }
        lineIsEmpty = true
      } else {
        lineIsEmpty = false
        afterCarriageReturn = false
      }
    }
    return -1
  }
}

/** Returns the pieces as one array. */
export function join(pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}
