import { safeJson } from './safe-json.ts'
import { type StreamEncoder, streamHeaders } from './stream-encoder.ts'
import { type CompactOptions, eventCompactor } from './wire-event.ts'

export interface SseOptions extends CompactOptions {
  /** How long a client waits before it reconnects, in milliseconds. Default: 1,000. */
  readonly retryMs?: number
}

/**
 * Server-sent events. The `id` of each is its `seq`, so that `Last-Event-ID` is a cursor; there is no `event` field, so
 * that `EventSource` gives all of them to `onmessage`.
 */
export function sseEncoder(options: SseOptions = {}): StreamEncoder {
  const { retryMs = 1000 } = options
  const compact = eventCompactor(options)
  return {
    headers: { ...streamHeaders, 'content-type': 'text/event-stream; charset=utf-8' },
    open: () => `retry: ${Math.max(0, Math.round(retryMs))}\n\n`,
    encode: (events) => events.map((event) => `id: ${event.seq}\ndata: ${safeJson(compact(event))}\n\n`).join(''),
    heartbeat: () => ':\n\n',
    close: () => '',
  }
}
