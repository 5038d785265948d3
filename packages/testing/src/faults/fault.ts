/**
 * Where in a response a fault happens: before the event of this 0-based index is sent, or after this many bytes of the
 * body. In a body without events, `event` means the middle of the body. Default: `{ event: 0 }`.
 */
export type FaultPosition = { readonly event: number } | { readonly byte: number }

/** Faults of the transport, whatever its bytes mean. */
export type TransportFault =
  | { readonly kind: 'destroy' | 'reset' | 'end' | 'break-chunk' | 'gzip-cut'; readonly at?: FaultPosition }
  | { readonly kind: 'gzip' | 'no-headers' | 'refused' | 'html' | 'json' }
  /** Without `pingEvery` (ms) it is silent. */
  | { readonly kind: 'stall'; readonly at?: FaultPosition; readonly pingEvery?: number }
  | { readonly kind: 'slow-headers'; readonly ms: number }
  /** `retryAfter` and `retryAfterMs` are sent as the headers `retry-after` and `retry-after-ms`, as they are. */
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string; readonly retryAfterMs?: string }

/**
 * Faults among the events of a stream, for which a byte position means the first event. They leave a non-streaming
 * answer alone.
 */
export type StreamFault =
  /** `errorType` is any of the API's, or one of Bedrock's such as `throttlingException`. */
  | { readonly kind: 'error-event'; readonly at?: FaultPosition; readonly errorType: string }
  | { readonly kind: 'unknown-event'; readonly at?: FaultPosition }
  | { readonly kind: 'unknown-delta'; readonly at?: FaultPosition }
  | { readonly kind: 'garbage-line'; readonly at?: FaultPosition; readonly mode: 'add' | 'instead' }
  /** Without `at`, every event is sent twice. */
  | { readonly kind: 'duplicate-event'; readonly at?: FaultPosition }
  | { readonly kind: 'second-message-start'; readonly at?: FaultPosition; readonly id: 'same' | 'other' }
  | { readonly kind: 'no-message-stop' }
  | { readonly kind: 'no-final-blank-line' }
  /** The JSON of the first tool call ends before this 0-based piece; all else is sent as if it were whole. */
  | { readonly kind: 'tool-json-cut'; readonly piece: number }
  /** The block of this index (default: 0) gets no `content_block_stop`. */
  | { readonly kind: 'unstopped-block'; readonly block?: number }
  | { readonly kind: 'prefilled-start' | 'byte-order-mark' | 'unknown-field' | 'no-signature' }
  /** The events before `at` are sent a second time, `message_start` with the same id included. */
  | { readonly kind: 'replay'; readonly at?: FaultPosition }

/** Faults of the model: the answer itself is odd, streaming or not. */
export type AnswerFault =
  | { readonly kind: 'unknown-block' | 'tool-use-without-tool' | 'empty-answer' | 'repeated-tool-id' | 'start-over' }
  | { readonly kind: 'stop-reason'; readonly stopReason: string }

/** A fault that an answer of a script can have each time: see `quirks` of `Turn`. */
export type Quirk = StreamFault | AnswerFault

/** What goes wrong. `faultKinds` describes each kind in a line. */
export type Fault = TransportFault | StreamFault | AnswerFault

export type FaultKind = Fault['kind']

/** Which requests a fault hits. Every condition that is given must hold. */
export interface FaultMatch {
  /** One more than the assistant messages in the request. Default: every turn. */
  readonly turn?: number
  /** How often the same messages were asked, this time included. Default: `all`. */
  readonly attempt?: number | readonly number[] | 'all'
  /** Only streaming (true) or only non-streaming (false) requests. Default: both. */
  readonly stream?: boolean
  /** How many requests are hit. Default: 1, or `forever` with `attempt`. */
  readonly times?: number | 'forever'
}

export type FaultRule = Fault & FaultMatch

/** Is in everything that a faulty upstream says, so that a test can look for it where it must not be. */
export const leakCanary = 'upstream-detail-not-for-clients'

const matchFields: readonly string[] = ['kind', 'at', 'turn', 'attempt', 'stream', 'times']

/** Returns a fault as one word for records and case ids, such as `destroy@event:7`. */
export function describeFault(fault: Fault): string {
  const details = Object.entries(fault)
    .filter(([field]) => !matchFields.includes(field))
    .map(([field, value]) => `${field}=${String(value)}`)
  const name = [fault.kind, ...details].join(',').replace(/[/*\s]/g, '_')
  if (!('at' in fault) || fault.at === undefined) return name
  return `${name}@${'event' in fault.at ? `event:${fault.at.event}` : `byte:${fault.at.byte}`}`
}
