import { safeJson } from './safe-json.ts'
import { type StreamEncoder, streamHeaders } from './stream-encoder.ts'
import { type CompactOptions, eventCompactor } from './wire-event.ts'

/** One event a line, `seq` included. A heartbeat is an empty line. */
export function ndjsonEncoder(options: CompactOptions = {}): StreamEncoder {
  const compact = eventCompactor(options)
  return {
    headers: { ...streamHeaders, 'content-type': 'application/x-ndjson; charset=utf-8' },
    open: () => '',
    encode: (events) => events.map((event) => `${safeJson({ seq: event.seq, ...compact(event) })}\n`).join(''),
    heartbeat: () => '\n',
    close: () => '',
  }
}
