import type { AgentEvent } from '@millrace/core'
import { safeJson } from './safe-json.ts'
import { type StreamEncoder, streamHeaders } from './stream-encoder.ts'

/** An encoder of server-sent events without ids, for protocols whose clients cannot resume. */
export function frameEncoder(
  translate: (event: AgentEvent) => readonly object[],
  { headers = {}, end = '' }: { readonly headers?: Readonly<Record<string, string>>; readonly end?: string } = {},
): StreamEncoder {
  return {
    headers: { ...streamHeaders, 'content-type': 'text/event-stream; charset=utf-8', ...headers },
    open: () => '',
    encode: (events) =>
      events
        .flatMap(translate)
        .map((frame) => `data: ${safeJson(frame)}\n\n`)
        .join(''),
    heartbeat: () => ':\n\n',
    close: () => end,
  }
}
