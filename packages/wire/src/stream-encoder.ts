import type { AgentEvent } from '@millrace/core'

/** Turns events, or whatever else a response carries, into the text of one response. Each response needs its own. */
export interface StreamEncoder<Item = AgentEvent> {
  /** Headers of the response, `content-type` among them. */
  readonly headers: Readonly<Record<string, string>>
  /** Returns the text before the first event; may be empty. */
  open(): string
  /** Returns events that arrived together as one text; empty where the format has nothing to say about them. */
  encode(events: readonly Item[]): string
  /** Returns what shows a quiet client, and the proxies before it, that the stream lives. */
  heartbeat(): string
  /** Returns the text after the last event; may be empty. */
  close(): string
}

/** No cache, no proxy and no compression may hold events back. */
export const streamHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
}
