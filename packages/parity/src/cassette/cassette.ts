import type { JsonObject } from '../kit/json.ts'

/** The `format` of a cassette file. */
export const cassetteFormat = 'millrace-cassette'

/** The version that this package writes, and the only one it reads. */
export const cassetteVersion = 1

/** How the names of cassette files end. */
export const cassetteEnding = '.cassette.json'

/**
 * One run of a loop as HTTP requests: from the one that asks the user's question to the one whose answer ends the run.
 * The file format is described by `schema.json`.
 */
export interface Cassette {
  readonly format: typeof cassetteFormat
  readonly version: typeof cassetteVersion
  /** Unique within a recording. */
  readonly id: string
  /** The paths that were redacted while it was recorded. */
  readonly redacted: readonly string[]
  /** In the order in which the loop asked; at least one. */
  readonly exchanges: readonly Exchange[]
}

/** One request and its answer. */
export interface Exchange {
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Milliseconds from the start to the first byte of the answer's body. Absent if none came. */
  readonly firstByteMs?: number
  /** Milliseconds from the start to the end of the answer. */
  readonly durationMs: number
  readonly request: RecordedRequest
  readonly answer: RecordedAnswer
}

export interface RecordedRequest {
  /** The `anthropic-beta` values. Absent if it was not a beta request. */
  readonly betas?: readonly string[]
  /** How many messages of the exchange before are the first messages of this one. They are not repeated in `body`. */
  readonly kept: number
  /** The body of the request. Its `messages` lack those that were kept. */
  readonly body: RequestBody
}

/** The body of a Messages API request. */
export interface RequestBody {
  readonly messages: readonly JsonObject[]
  readonly [parameter: string]: unknown
}

/** A whole answer of the Messages API. */
export interface RecordedMessage {
  readonly content: readonly JsonObject[]
  readonly stop_reason: string
  readonly usage: JsonObject
  readonly [field: string]: unknown
}

/** What the loop got. Only `message` and `stream` are whole answers. */
export type RecordedAnswer =
  | { readonly kind: 'message'; readonly message: RecordedMessage }
  /** The bytes of the stream, as text. */
  | { readonly kind: 'stream'; readonly sse: string }
  /** An HTTP error, or an error event in a stream (its status is then 200). The error's message is not kept. */
  | { readonly kind: 'error'; readonly status: number; readonly type?: string; readonly retryAfter?: string }
  | { readonly kind: 'broken'; readonly reason: BrokenReason }

/** Why there is no answer to replay. */
export const brokenReasons = [
  /** The upstream could not be reached. */
  'connection_failed',
  /** The answer ended, or its connection broke, before it was whole. */
  'cut',
  /** The loop left before its answer was whole. */
  'client_left',
  /** The recording ended before the answer did. */
  'unfinished',
  /** The request or the answer was larger than the recorder takes. */
  'too_large',
  /** The body is not an answer of the Messages API, or its encoding cannot be read. */
  'unreadable',
] as const

export type BrokenReason = (typeof brokenReasons)[number]
