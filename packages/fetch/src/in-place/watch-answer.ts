import { isRecord } from '@millrace/core/kit'
import { createAccumulator, createSseParser, fault, noUsage } from '@millrace/core/recovery'
import { type AssistantMessage, MillraceError } from '@millrace/core'
import type { MessagesRequest } from '../request/messages-request.ts'
import type { FetchSettings } from '../request/options.ts'
import { isEventStream } from '../request/upstream.ts'
import type { TurnObserver } from '../turn/turn-observer.ts'

/** Sends a request as it is, and tells `observer` of the answer: the control group is seen, and nothing of it changes. */
export async function watchAnswer(
  settings: FetchSettings,
  { input, init }: MessagesRequest,
  observer: TurnObserver,
): Promise<Response> {
  observer.restarted()
  observer.attempt(1, 'legacy')
  let response: Response
  try {
    response = await settings.fetch(input, init)
  } catch (cause) {
    observer.ended({ status: 'failed', error: fault('connection_failed', { cause }) })
    throw cause
  }
  if (!response.ok || response.body === null) {
    observer.ended({ status: 'failed', error: fault('server_error', { status: response.status }) })
    return response
  }
  return isEventStream(response.headers) ? watchStream(response, observer) : watchBody(response, observer)
}

async function watchBody(response: Response, observer: TurnObserver): Promise<Response> {
  // Read before the loop goes on: the turn is told of in front of what the loop does with it.
  const text = await response.text()
  tell(observer, () => JSON.parse(text))
  return new Response(text, response)
}

function watchStream(response: Response, observer: TurnObserver): Response {
  const parser = createSseParser()
  const accumulator = createAccumulator()
  let isReadable = true
  const body = response.body?.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        try {
          if (isReadable) for (const data of parser.push(chunk)) accumulator.add(JSON.parse(data))
        } catch {
          // What the loop is given is its own matter here; only the events stop.
          isReadable = false
        }
        controller.enqueue(chunk)
      },
      flush: () => tell(observer, () => accumulator.message()),
    }),
  )
  return new Response(body, response)
}

function tell(observer: TurnObserver, read: () => unknown): void {
  const message = readMessage(read)
  if (message === undefined)
    return observer.ended({ status: 'failed', error: new MillraceError('garbage', 'the answer cannot be read') })
  const { content, usage, stop_reason, ...rest } = message
  observer.sent({ type: 'message_start', message: { ...rest, content: [], stop_reason: null, usage } })
  for (const [index, block] of content.entries()) {
    observer.sent({ type: 'content_block_start', index, content_block: block })
    observer.sent({ type: 'content_block_stop', index })
  }
  observer.sent({ type: 'message_delta', delta: { stop_reason }, usage })
  observer.sent({ type: 'message_stop' })
  observer.ended({ status: 'whole', stopReason: stop_reason, usage: { ...noUsage, ...usage } })
}

function readMessage(read: () => unknown): AssistantMessage | undefined {
  try {
    const message = read()
    return isMessage(message) ? message : undefined
  } catch {
    return undefined
  }
}

function isMessage(value: unknown): value is AssistantMessage {
  return (
    isRecord(value) && Array.isArray(value['content']) && value['content'].every(isRecord) && isRecord(value['usage'])
  )
}
