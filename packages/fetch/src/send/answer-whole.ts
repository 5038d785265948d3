import { linkedController } from '@millrace/core/kit'
import { createAccumulator, fault } from '@millrace/core/recovery'
import { errorResponse, passedHeaders } from '../request/api-error.ts'
import type { MessagesRequest } from '../request/messages-request.ts'
import { createUpstream } from '../request/upstream.ts'
import type { FetchSettings } from '../request/options.ts'
import { createClientMessage } from '../stream/client-message.ts'
import { takeTurn } from '../turn/take-turn.ts'
import type { TurnObserver } from '../turn/turn-observer.ts'

/**
 * Asks as a stream for the answer to a request that wants one body: no connection is idle while the model works, so nothing
 * on the way cuts it, and what breaks is recovered.
 *
 * @param ready what to wait for before more is read; undefined if nothing
 */
export async function answerWhole(
  settings: FetchSettings,
  request: MessagesRequest,
  observer: TurnObserver,
  ready: () => Promise<void> | undefined = () => undefined,
): Promise<Response> {
  const stop = linkedController(request.signal ?? new AbortController().signal)
  let headers = new Headers()
  let answer = createAccumulator()
  const streamed = { ...request.body, stream: true }
  const upstream = createUpstream(settings.fetch, request, settings.runtime.clock, (response) => {
    headers = passedHeaders(response.headers)
  })
  const turn = await takeTurn({
    settings,
    body: streamed,
    upstream,
    createClient() {
      const message = createAccumulator()
      observer.restarted()
      answer = message
      return createClientMessage(({ event }) => {
        if (event === undefined) return
        message.add(event)
        observer.sent(event)
      })
    },
    retracts: true,
    outlet: { flush: () => observer.flushed(), ready },
    observer,
    signal: stop.signal,
  })
  stop.dispose()
  observer.ended(turn)
  if (turn.status === 'interrupted') throw stop.signal.reason
  const message = answer.message()
  if (turn.status === 'failed' || message === undefined) {
    const error = turn.status === 'failed' ? turn.error : fault('internal')
    return errorResponse(error, upstream.refusal, error.retryable)
  }
  headers.set('content-type', 'application/json')
  return new Response(JSON.stringify(message), { status: 200, headers })
}
