import { type Clock, isMillraceError } from '@millrace/core'
import { encodeStream, runIdHeader, type StreamEncoder } from '@millrace/wire'
import { byteStream } from './byte-stream.ts'
import type { EventBatches } from './event-batches.ts'

export interface EventResponseOptions {
  readonly runId: string
  readonly encoder: StreamEncoder
  readonly clock: Clock
  readonly heartbeat: number
  readonly stallTimeout: number
  /** Ends the response where it is, for the client to come back elsewhere. */
  readonly signal?: AbortSignal
  /** Called once, when nothing more will be sent. `left`: the client went, or stopped reading, before the end. */
  readonly onEnd: (end: { readonly left: boolean }) => void
  readonly onError: (error: unknown) => void
}

/** The events of a run as a response, made as far as it is read. */
export function eventResponse(batches: EventBatches, options: EventResponseOptions): Response {
  const { runId, encoder, clock, heartbeat, stallTimeout, onEnd, onError } = options
  const leaving = new AbortController()
  const { signal } = options
  const onAbort = (): void => leaving.abort()
  if (signal?.aborted === true) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  const chunks = encodeStream(encoder, batches, { signal: leaving.signal, heartbeatMs: heartbeat, clock })
  const body = byteStream(chunks, {
    clock,
    stallTimeout,
    onEnd({ left, error }) {
      signal?.removeEventListener('abort', onAbort)
      leaving.abort()
      // That a client stopped reading, or came back too late, is no failure of ours.
      if (
        error !== undefined &&
        !isMillraceError(error, 'connection_lost') &&
        !isMillraceError(error, 'events_missed')
      ) {
        onError(error)
      }
      onEnd({ left })
    },
  })
  return new Response(body, { headers: { ...encoder.headers, [runIdHeader]: runId } })
}
