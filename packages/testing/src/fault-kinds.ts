import type { FaultKind } from './fault.ts'

/** A kind of fault, and what a client meets. */
export interface FaultKindDescription {
  readonly kind: FaultKind
  readonly description: string
}

const descriptions: { readonly [Kind in FaultKind]: string } = {
  destroy: 'the socket is closed (FIN) between two chunks, at a position',
  reset: 'the connection is reset (RST) at a position',
  end: 'the body ends cleanly, with its last chunk, at a position',
  'break-chunk': 'a chunk is announced that is longer than what follows, then the socket is closed, at a position',
  'gzip-cut': 'a gzip body ends cleanly at a position, without its trailer',
  gzip: 'the body is compressed with gzip; nothing else is wrong',
  'error-event':
    'an error event of `errorType` at a position, then a clean end; as one body: the HTTP status of that type',
  stall: 'nothing more comes after a position; with `pingEvery`, only pings do',
  'slow-headers': 'the headers come after `ms` milliseconds',
  'no-headers': 'the request is read and never answered',
  refused: 'the connection is reset before any byte of an answer',
  status: 'an HTTP error of `status` in the shape of the API, with `retryAfter` or `retryAfterMs` where given',
  html: 'a 200 with an HTML page',
  json: 'a 200 with one JSON body to a request that asked for a stream',
  'garbage-line': 'an event whose data is no JSON, added before an event or sent instead of it',
  'duplicate-event': 'an event is sent twice; without a position, each is',
  'second-message-start': 'another message_start at a position, with the same id or another',
  'no-message-stop': 'message_stop is missing, the body ends cleanly',
  'no-final-blank-line': 'the last event lacks the blank line that ends it',
  'unknown-event': 'an event of a type that does not exist, at a position',
  'unknown-block': 'the answer begins with a content block of a type that does not exist',
  'unknown-delta': 'a delta of a type that does not exist, at a position',
  'stop-reason': 'the answer ends with `stopReason` instead of its own stop reason',
  'tool-use-without-tool': 'the stop reason is tool_use, and the tool_use blocks are missing',
  'tool-json-cut': 'the JSON of the first tool call ends before a `piece`; all else is sent as if it were whole',
  'unstopped-block': 'one block gets no content_block_stop',
}

/** Every kind of fault, with a line on each. */
export const faultKinds: readonly FaultKindDescription[] = Object.entries(descriptions).flatMap(([kind, description]) =>
  isFaultKind(kind) ? [{ kind, description }] : [],
)

export function isFaultKind(value: unknown): value is FaultKind {
  return typeof value === 'string' && Object.hasOwn(descriptions, value)
}
