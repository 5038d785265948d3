import { hasMethod } from '../kit/guards.ts'
import { fault } from '../protocol/faults.ts'
import { createMessage, type ModelClient, type RequestBody, type RequestOptions } from './model-client.ts'
import { createSseParser } from './sse-parser.ts'
import { isStreamEvent, noteEvent, parseEvent } from './stream-event.ts'
import type { StreamEvent, TurnSource } from './turn-source.ts'
import { openEventStream, type OpenedStream, watchedStream, type WatchedStreamOptions } from './watched-stream.ts'

export interface StreamSourceOptions extends WatchedStreamOptions {
  readonly client: ModelClient
}

/** Asks with `stream: true` and reads the answer as it comes. */
export function streamSource({ client, ...watch }: StreamSourceOptions): TurnSource {
  return {
    open: (request, options) =>
      watchedStream((asked) => connect(client, { ...request, stream: true }, asked), watch, options),
  }
}

async function connect(
  client: ModelClient,
  request: RequestBody,
  options: RequestOptions,
): Promise<OpenedStream<StreamEvent>> {
  const promise = createMessage(client, request, options)
  if (hasResponse(promise)) return openResponse(await promise.asResponse())
  const iterable: unknown = await promise
  if (!isIterable(iterable)) throw fault('not_a_stream')
  return openIterable(iterable)
}

function hasResponse(promise: unknown): promise is { asResponse(): Promise<Response> } {
  return hasMethod(promise, 'asResponse')
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return hasMethod(value, Symbol.asyncIterator)
}

/** Reads the raw bytes: pings count as life, and each event is parsed once. */
function openResponse(response: Response): OpenedStream<StreamEvent> {
  const parser = createSseParser()
  return openEventStream(response, function* take(chunk, watchdog, requestId) {
    for (const data of parser.push(chunk)) {
      const event = parseEvent(data)
      noteEvent(event, watchdog, requestId)
      if (event.type !== 'ping') yield event
    }
  })
}

/** Iterates what the client has parsed, where it gives no bytes. */
function openIterable(iterable: AsyncIterable<unknown>): OpenedStream<StreamEvent> {
  const iterator = iterable[Symbol.asyncIterator]()
  return {
    async read(watchdog) {
      const { done, value } = await iterator.next()
      if (done === true) return undefined
      watchdog?.alive()
      if (!isStreamEvent(value)) throw fault('garbage')
      noteEvent(value, watchdog, undefined)
      return value.type === 'ping' ? [] : [value]
    },
    cancel: () => void iterator.return?.().then(ignore, ignore),
  }
}

function ignore(): void {}
