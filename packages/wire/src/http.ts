import type { ClientError, InputMessage, Message, RunOutcome, Usage } from '@millrace/core'

/**
 * The HTTP contract between server and client.
 *
 * | request | answer |
 * |---|---|
 * | `POST /runs`, a {@link StartRunBody} | 200, the run's events in the negotiated format, or a {@link RunResultBody} |
 * | `GET /runs/:id/events?after=` or `Last-Event-ID` | 200, the events after that `seq`; 204 if the run is closed and no events follow |
 * | `POST /runs/:id/cancel`, a {@link CancelBody} | 200, a {@link CancelAnswer} |
 * | `GET /runs/:id` | 200, a {@link RunSnapshotBody} |
 *
 * Errors are problem details (RFC 9457), a {@link ProblemBody}.
 */
export interface StartRunBody {
  /** The conversation. Exactly one of `messages` and `input` is given. */
  readonly messages?: readonly InputMessage[]
  /** The text of one user message, after what the session holds. */
  readonly input?: string
  readonly sessionId?: string
  /**
   * What happens to shown text that turns out not to be final, for a client that cannot retract it.
   * Default: `retract`.
   */
  readonly retraction?: 'retract' | 'continue' | 'hold' | 'fail'
  /** Default: `auto`. */
  readonly mode?: 'auto' | 'stream' | 'buffered'
  /** Plain JSON of the caller's own, kept with the run. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /**
   * A UUID of the client's making. Sent again with the same one, a request follows the run that the first one started,
   * so that a lost answer never starts a second run. Default: the server makes one.
   */
  readonly runId?: string
}

export interface CancelBody {
  /** Default: `user`. */
  readonly reason?: string
}

export interface CancelAnswer {
  readonly runId: string
  /** False where the run had ended already. */
  readonly cancelled: boolean
}

/** The state of a run. */
export interface RunSnapshotBody {
  readonly runId: string
  readonly sessionId?: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly closed: boolean
  /** Where the run is closed. */
  readonly outcome?: RunOutcome
  /** The reason, once somebody asked for the run to stop. */
  readonly cancelled?: string
  /** The oldest and the newest `seq` that can be read; `first` is `tail + 1` if none can be read. */
  readonly first: number
  readonly tail: number
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** The answer to `POST /runs` of a client that accepts `application/json` and waits for the end. */
export interface RunResultBody {
  readonly runId: string
  readonly outcome: RunOutcome
  readonly stopReason: string | null
  readonly text: string
  readonly usage: Usage
  readonly turns: number
  readonly error?: ClientError
  /** The run's own messages, raw content included; only where raw content was asked for and is allowed. */
  readonly newMessages?: readonly Message[]
}

export type ProblemCode =
  | 'body_too_large'
  | 'cursor_ahead'
  | 'events_gone'
  | 'forbidden'
  | 'internal'
  | 'invalid_body'
  | 'invalid_cursor'
  | 'method_not_allowed'
  | 'not_acceptable'
  | 'not_found'
  | 'request_timeout'
  | 'session_busy'
  | 'shutting_down'
  | 'store_unavailable'
  | 'too_many_runs'
  | 'unauthorized'
  | 'unsupported_media_type'

/** The status that each problem is answered with. */
export const problemStatus: Readonly<Record<ProblemCode, number>> = {
  body_too_large: 413,
  cursor_ahead: 410,
  events_gone: 410,
  forbidden: 403,
  internal: 500,
  invalid_body: 400,
  invalid_cursor: 400,
  method_not_allowed: 405,
  not_acceptable: 406,
  not_found: 404,
  request_timeout: 408,
  session_busy: 409,
  shutting_down: 503,
  store_unavailable: 503,
  too_many_runs: 429,
  unauthorized: 401,
  unsupported_media_type: 415,
}

/** Problem details (RFC 9457). `Retry-After` goes with 429 and 503. */
export interface ProblemBody {
  /** `about:blank`: the status and `code` say which problem it is. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ProblemCode
  /** Written for a client to read. */
  readonly detail?: string
  /** What of the request is wrong: a field of the body such as `messages[2].role`, or `after` or `Last-Event-ID`. */
  readonly path?: string
}

/** The formats that a run's events can be had in. `json` is the result alone, at the end. */
export type RunFormat = 'sse' | 'ndjson' | 'json' | 'ui-message-stream' | 'ag-ui'

/** The media types that ask for a format in `Accept`. The other two are chosen by `?format=` or by their route. */
export const mediaTypes: {
  readonly sse: string
  readonly ndjson: string
  readonly json: string
  readonly problem: string
} = {
  sse: 'text/event-stream',
  ndjson: 'application/x-ndjson',
  json: 'application/json',
  problem: 'application/problem+json',
}

/** A response header with the id of the run that it belongs to, there before the first event. */
export const runIdHeader = 'millrace-run-id'

/** Query parameter `content=raw`: send `turn.finished.content`, where the server allows it. */
export const contentParameter: { readonly name: string; readonly raw: string } = { name: 'content', raw: 'raw' }
