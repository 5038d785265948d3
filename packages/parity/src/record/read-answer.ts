import { isRecord, parseJson } from '@millrace/core/kit'
import { formatEvent, messageEvents } from '@millrace/testing/stream'
import type { BrokenReason, RecordedAnswer, RecordedMessage } from '../cassette/cassette.ts'
import { isRecordedMessage } from '../cassette/read-cassette.ts'
import { isSame } from '../kit/json.ts'
import type { Redactor } from '../redaction/redactor.ts'
import { assembleMessage } from '../stream/assemble-message.ts'
import { readEvents } from '../stream/read-events.ts'

/** An answer as it came over HTTP. */
export interface RawAnswer {
  readonly status: number
  readonly contentType: string
  readonly retryAfter: string | undefined
  /** The body, decoded. */
  readonly body: Uint8Array
  /** Why it broke off, unless it ended by itself. */
  readonly brokenBy: BrokenReason | undefined
}

/** An answer as it is recorded, and the message in it, which is not redacted. */
export interface ReadAnswer {
  readonly answer: RecordedAnswer
  readonly message?: RecordedMessage
}

/** Reads an answer, and redacts it as the message after the `index` messages of its request. */
export function readAnswer(raw: RawAnswer, redactor: Redactor, index: number): ReadAnswer {
  const { status, contentType, body, brokenBy } = raw
  const text = decodeText(body)
  // The SDK goes by the status of an error and does not read its body, so neither must be whole.
  if (status < 200 || status > 299) return readError(raw, text)
  if (text === undefined) return broken(brokenBy ?? 'unreadable')
  if (contentType.toLowerCase().startsWith('text/event-stream')) return readStream(raw, text, redactor, index)
  const message = parseJson(text)
  if (!isRecordedMessage(message)) return broken(brokenBy ?? 'unreadable')
  const redacted = redactor.answer(message, index)
  if (!isRecordedMessage(redacted)) return broken('unreadable')
  return { answer: { kind: 'message', message: redacted }, message }
}

function readStream(raw: RawAnswer, text: string, redactor: Redactor, index: number): ReadAnswer {
  const assembled = assembleMessage(readEvents(text))
  switch (assembled.status) {
    case 'cut':
      return broken(raw.brokenBy ?? 'cut')
    case 'error':
      return { answer: { kind: 'error', status: raw.status, ...readType(assembled.type) } }
    case 'whole': {
      const { message } = assembled
      const redacted = redactor.answer(message, index)
      if (!isRecordedMessage(redacted)) return broken('unreadable')
      // A redacted field may be spread over many deltas, so the stream is made anew from the redacted message.
      const sse = isSame(redacted, message) ? redactor.text(text) : streamOf(redacted)
      return { answer: { kind: 'stream', sse }, message }
    }
  }
}

function streamOf(message: RecordedMessage): string {
  return [...messageEvents(message, 'words')].map(formatEvent).join('')
}

/** The error's message is left out: it may quote the request. */
function readError({ status, retryAfter }: RawAnswer, text: string | undefined): ReadAnswer {
  const body = text === undefined ? undefined : parseJson(text)
  const error = isRecord(body) && isRecord(body['error']) ? body['error'] : {}
  const isDelay = retryAfter !== undefined && /^\d{1,9}(\.\d{1,9})?$/.test(retryAfter)
  return {
    answer: { kind: 'error', status: toStatus(status), ...readType(error['type']), ...(isDelay && { retryAfter }) },
  }
}

function toStatus(status: number): number {
  return status >= 200 && status <= 599 ? status : 500
}

function readType(type: unknown): { readonly type?: string } {
  return typeof type === 'string' && /^[a-z_]{1,64}$/i.test(type) ? { type } : {}
}

function broken(reason: BrokenReason): ReadAnswer {
  return { answer: { kind: 'broken', reason } }
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}
