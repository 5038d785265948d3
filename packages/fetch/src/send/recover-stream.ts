import { linkedController, onAbort } from '@millrace/core/kit'
import { errorEvent, errorResponse, passedHeaders } from '../request/api-error.ts'
import type { MessagesRequest } from '../request/messages-request.ts'
import { createUpstream, isEventStream } from '../request/upstream.ts'
import type { FetchSettings } from '../request/options.ts'
import { createClientMessage, encodeEvent } from '../stream/client-message.ts'
import { createKeepAlive } from '../stream/keep-alive.ts'
import { createOutlet } from '../stream/outlet.ts'
import { takeTurn } from '../turn/take-turn.ts'
import type { TurnEnd, TurnObserver } from '../turn/turn-observer.ts'

/**
 * Sends a streaming request and returns a response whose body is a valid stream, whatever happens upstream. Resolves with
 * the headers of the first answer that is a stream, or with the error that nothing helped against.
 *
 * @param ready what to wait for besides the client before more is read; undefined if nothing
 */
export function recoverStream(
  settings: FetchSettings,
  request: MessagesRequest,
  observer: TurnObserver,
  ready: () => Promise<void> | undefined = () => undefined,
): Promise<Response> {
  const { clock } = settings.runtime
  const stop = linkedController(request.signal ?? new AbortController().signal)
  const outlet = createOutlet(stop.abort)
  // At once: a client that aborts does not read any more, and nothing else would wake what waits for it.
  const forget = onAbort(stop.signal, () => outlet.fail(stop.signal.reason))
  return new Promise((resolve, reject) => {
    let isAnswered = false
    const respond = (response: Response): void => {
      if (isAnswered) return
      isAnswered = true
      resolve(response)
    }
    const upstream = createUpstream(settings.fetch, request, clock, ({ status, statusText, headers }) => {
      // The client has the headers of the first answer, whatever follows.
      if (isAnswered) return
      const passed = passedHeaders(headers)
      if (!isEventStream(headers)) passed.set('content-type', 'text/event-stream; charset=utf-8')
      respond(new Response(outlet.body, { status, statusText, headers: passed }))
    })
    const client = createClientMessage(({ event, bytes }) => {
      if (event !== undefined) observer.sent(event)
      const written = bytes ?? (event === undefined ? undefined : encodeEvent(event))
      if (written === undefined) return
      keepAlive.sent()
      outlet.write(written)
    })
    const keepAlive = createKeepAlive(clock, settings.limits.pingInterval, () => {
      if (!outlet.isWanted || !client.started || client.ended) return
      outlet.write(encodeEvent({ type: 'ping' }))
      outlet.flush()
    })

    function end(turn: TurnEnd): void {
      keepAlive.stop()
      forget()
      stop.dispose()
      observer.ended(turn)
      switch (turn.status) {
        case 'whole':
        case 'salvaged':
          return outlet.close()
        case 'interrupted':
          return isAnswered ? undefined : reject(stop.signal.reason)
        case 'failed':
          if (!isAnswered) return respond(errorResponse(turn.error, upstream.refusal, turn.error.retryable))
          outlet.write(encodeEvent(errorEvent(turn.error)))
          return outlet.close()
      }
    }

    void takeTurn({
      settings,
      body: request.body,
      upstream,
      createClient() {
        observer.restarted()
        return client
      },
      retracts: false,
      outlet: {
        flush() {
          observer.flushed()
          outlet.flush()
        },
        ready: () => outlet.ready() ?? ready(),
      },
      observer,
      signal: stop.signal,
    }).then(end)
  })
}
