import { MillraceError } from '@millrace/core'
import { isRecord, parseJson } from '@millrace/core/kit'
import { createParser } from 'eventsource-parser'
import { type DecodedEvent, eventRestorer, garbage } from './wire-event.ts'

export interface DecoderOptions {
  /** Characters that an event may hold before it is whole. Default: 16,777,216. */
  readonly maxEventChars?: number
}

/** From the bytes of one response to events, however the bytes are split. */
export interface EventDecoder {
  /**
   * The events that `chunk` completes. What comes after a throw is undefined.
   *
   * @throws MillraceError `garbage` if the bytes are not a stream of events, `buffer_overflow` if an event is too large
   */
  push(chunk: Uint8Array): readonly DecodedEvent[]
  /** How long the server asks to wait before reconnecting, in milliseconds. */
  readonly retryMs: number | undefined
}

const defaultMaxEventChars = 16_777_216

/** Reads what `sseEncoder` writes. Comments, unknown fields and an unfinished last event are ignored, as SSE wants it. */
export function sseDecoder({ maxEventChars = defaultMaxEventChars }: DecoderOptions = {}): EventDecoder {
  const decodeText = textDecoder()
  const restore = eventRestorer()
  let events: DecodedEvent[] = []
  let retryMs: number | undefined
  let failure: MillraceError | undefined
  const parser = createParser({
    maxBufferSize: maxEventChars,
    onEvent({ id, data }) {
      if (data.length > maxEventChars) throw overflow(maxEventChars)
      const seq = id !== undefined && /^\d{1,15}$/.test(id) ? Number(id) : undefined
      if (seq === undefined) throw garbage(undefined, 'an event has no id')
      events.push(restore(seq, parseJson(data)))
    },
    onRetry(value) {
      retryMs = value
    },
    onError({ type }) {
      if (type === 'max-buffer-size-exceeded') failure = overflow(maxEventChars)
    },
  })
  return {
    push(chunk) {
      events = []
      parser.feed(decodeText(chunk))
      if (failure) throw failure
      return events
    },
    get retryMs() {
      return retryMs
    },
  }
}

/** Reads what `ndjsonEncoder` writes. Empty lines and an unfinished last line are ignored. */
export function ndjsonDecoder({ maxEventChars = defaultMaxEventChars }: DecoderOptions = {}): EventDecoder {
  const decodeText = textDecoder()
  const restore = eventRestorer()
  // Joined once a line ends: adding each chunk to one string would copy the line again and again.
  let pending: string[] = []
  let pendingChars = 0

  function decodeLine(line: string): DecodedEvent[] {
    if (line.trim() === '') return []
    if (line.length > maxEventChars) throw overflow(maxEventChars)
    const value = parseJson(line)
    const seq = isRecord(value) ? value['seq'] : undefined
    if (typeof seq !== 'number') throw garbage(undefined, 'a line must be an event with a seq')
    return [restore(seq, value)]
  }

  return {
    push(chunk) {
      const [first = '', ...rest] = decodeText(chunk).split('\n')
      pending.push(first)
      pendingChars += first.length
      if (pendingChars > maxEventChars) throw overflow(maxEventChars)
      const tail = rest.pop()
      if (tail === undefined) return []
      const lines = [pending.join(''), ...rest]
      pending = [tail]
      pendingChars = tail.length
      if (pendingChars > maxEventChars) throw overflow(maxEventChars)
      return lines.flatMap(decodeLine)
    },
    retryMs: undefined,
  }
}

function textDecoder(): (chunk: Uint8Array) => string {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  return (chunk) => {
    try {
      return decoder.decode(chunk, { stream: true })
    } catch (cause) {
      throw new MillraceError('garbage', 'the event stream is not UTF-8', { retryable: true, cause })
    }
  }
}

function overflow(maxEventChars: number): MillraceError {
  return new MillraceError('buffer_overflow', `an event of the stream is longer than ${maxEventChars} characters`, {
    path: 'maxEventChars',
  })
}
