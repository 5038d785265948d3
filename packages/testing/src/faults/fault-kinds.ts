import type { AnswerFault, FaultKind, Quirk, StreamFault, TransportFault } from './fault.ts'

/** A kind of fault, and what a client meets. */
export interface FaultKindDescription {
  readonly kind: FaultKind
  readonly description: string
}

const transportKinds: { readonly [Kind in TransportFault['kind']]: string } = {
  destroy: 'the socket is closed (FIN) between two chunks, at a position',
  reset: 'the connection is reset (RST) at a position',
  end: 'the body ends cleanly, with its last chunk, at a position',
  'break-chunk': 'a chunk is announced that is longer than what follows, then the socket is closed, at a position',
  'gzip-cut': 'a gzip body ends cleanly at a position, without its trailer',
  gzip: 'the body is compressed with gzip; nothing else is wrong',
  stall: 'nothing more comes after a position; with `pingEvery`, only pings do',
  'slow-headers': 'the headers come after `ms` milliseconds',
  'no-headers': 'the request is read and never answered',
  refused: 'the connection is reset before any byte of an answer',
  status: 'an HTTP error of `status` in the shape of the API, with `retryAfter` or `retryAfterMs` where given',
  html: 'a 200 with an HTML page',
  json: 'a 200 with one JSON body to a request that asked for a stream',
}

const streamKinds: { readonly [Kind in StreamFault['kind']]: string } = {
  'error-event':
    'an error event of `errorType` at a position, then a clean end; as one body: the HTTP status of that type',
  'garbage-line': 'an event whose data is no JSON, added before an event or sent instead of it',
  'duplicate-event': 'an event is sent twice; without a position, each is',
  'second-message-start': 'another message_start at a position, with the same id or another',
  replay: 'all events before a position are sent a second time, with the same ids',
  'no-message-stop': 'message_stop is missing, the body ends cleanly',
  'no-final-blank-line': 'the last event lacks the blank line that ends it',
  'unknown-event': 'an event of a type that does not exist, at a position',
  'unknown-delta': 'a delta of a type that does not exist, at a position',
  'unknown-field': 'each event has a field that server-sent events do not have, `x-trace: 1`',
  'byte-order-mark': 'the body begins with a byte order mark',
  'prefilled-start': 'message_start holds the whole message, its stop reason included; only message_stop follows',
  'tool-json-cut': 'the JSON of the first tool call ends before a `piece`; all else is sent as if it were whole',
  'unstopped-block': 'one block gets no content_block_stop',
  'no-signature': 'thinking blocks get no signature_delta',
}

const answerKinds: { readonly [Kind in AnswerFault['kind']]: string } = {
  'unknown-block': 'the answer begins with a content block of a type that does not exist',
  'stop-reason': 'the answer ends with `stopReason` instead of its own stop reason',
  'tool-use-without-tool': 'the stop reason is tool_use, and the tool_use blocks are missing',
  'empty-answer': 'the answer has no block and no output token, and ends with end_turn',
  'repeated-tool-id': 'all tool_use blocks of the answer have the id of the first',
  'start-over': 'asked to go on with a broken answer, the model begins that answer anew',
}

const descriptions: { readonly [Kind in FaultKind]: string } = { ...transportKinds, ...streamKinds, ...answerKinds }

/** Every kind of fault, with a line on each. */
export const faultKinds: readonly FaultKindDescription[] = Object.entries(descriptions).flatMap(([kind, description]) =>
  isFaultKind(kind) ? [{ kind, description }] : [],
)

export function isFaultKind(value: unknown): value is FaultKind {
  return typeof value === 'string' && Object.hasOwn(descriptions, value)
}

/** The kinds that can be a quirk of an answer. */
export const quirkKinds: readonly Quirk['kind'][] = Object.keys({ ...streamKinds, ...answerKinds }).filter(isQuirkKind)

export function isQuirkKind(value: unknown): value is Quirk['kind'] {
  return typeof value === 'string' && (Object.hasOwn(streamKinds, value) || Object.hasOwn(answerKinds, value))
}
