import { MillraceError } from '../kit/errors.ts'
import { isRecord, hasMethod } from '../kit/guards.ts'
import { createMessage, type ModelClient, type RequestBody } from './model-client.ts'
import { fault, faultOfErrorEvent, toFault } from '../protocol/faults.ts'
import { type Clock, timeLimit } from '../kit/clock.ts'
import { linkedController } from '../kit/signals.ts'
import { createSseParser } from './sse-parser.ts'
import type { StreamEvent, TurnSource } from './turn-source.ts'
import { createWatchdog, type Watchdog, type WatchdogLimits } from './watchdog.ts'

/** How long, in ms, the rest of a body is read after the turn is whole, so that its connection can serve again. */
const drainTime = 250

export interface StreamSourceOptions {
  readonly client: ModelClient
  readonly clock: Clock
  readonly limits: WatchdogLimits
}

/** Asks with `stream: true` and reads the answer as it comes. */
export function streamSource({ client, clock, limits }: StreamSourceOptions): TurnSource {
  return {
    async *open(request, { signal, ready, onDrain }) {
      const link = linkedController(signal)
      const watchdog = createWatchdog(clock, limits, link.abort)
      let opening: Promise<Opened> | undefined
      let opened: Opened | undefined
      let finished = false
      try {
        const options = { maxRetries: 0, timeout: limits.connectTimeout, signal: link.signal }
        opening = connect(client, { ...request, stream: true }, options)
        opened = await link.race(opening)
        watchdog.connected()
        while (true) {
          const waiting = ready()
          if (waiting !== undefined) {
            watchdog.pause()
            await waiting
            watchdog.resume()
          }
          const batch = await link.race(opened.read(watchdog))
          if (batch === undefined) break
          if (batch.length > 0) yield batch
        }
        finished = true
      } catch (error) {
        finished = true
        opening?.then((late) => late.cancel(), ignore)
        throw link.signal.aborted && link.signal.reason instanceof MillraceError
          ? link.signal.reason
          : toFault(error, opened !== undefined, clock.now())
      } finally {
        watchdog.stop()
        if (!finished && opened !== undefined && !signal.aborted) {
          // The reader has left because the turn is whole: what follows is at most a message_stop.
          onDrain(drain(opened, clock).finally(() => link.dispose()))
        } else {
          if (!finished) opened?.cancel()
          link.dispose()
        }
      }
    },
  }
}

interface Opened {
  /** The events of the next read, of which `watchdog` is told; undefined at the end of the body. */
  read(watchdog?: Watchdog): Promise<readonly StreamEvent[] | undefined>
  cancel(): void
}

async function connect(
  client: ModelClient,
  request: RequestBody,
  options: Parameters<typeof createMessage>[2],
): Promise<Opened> {
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
function openResponse(response: Response): Opened {
  const requestId = response.headers.get('request-id') ?? undefined
  const type = response.headers.get('content-type') ?? ''
  if (response.body === null || !type.toLowerCase().startsWith('text/event-stream')) {
    response.body?.cancel().catch(ignore)
    throw fault('not_a_stream', requestId === undefined ? {} : { requestId })
  }
  const reader = response.body.getReader()
  const parser = createSseParser()
  let broken: Error | undefined

  return {
    async read(watchdog) {
      if (broken !== undefined) throw broken
      const { done, value } = await reader.read()
      if (done) return undefined
      watchdog?.alive()
      const batch: StreamEvent[] = []
      try {
        for (const data of parser.push(value)) {
          const event = parseEvent(data)
          if (note(event, watchdog, requestId)) batch.push(event)
        }
      } catch (error) {
        // What came before the fault is given first: its blocks may be whole.
        if (batch.length === 0 || !(error instanceof Error)) throw error
        broken = error
      }
      return batch
    },
    cancel: () => void reader.cancel().catch(ignore),
  }
}

/** Iterates what the client has parsed, where it gives no bytes. */
function openIterable(iterable: AsyncIterable<unknown>): Opened {
  const iterator = iterable[Symbol.asyncIterator]()
  return {
    async read(watchdog) {
      const { done, value } = await iterator.next()
      if (done === true) return undefined
      watchdog?.alive()
      if (!isStreamEvent(value)) throw fault('garbage')
      return note(value, watchdog, undefined) ? [value] : []
    },
    cancel: () => void iterator.return?.().then(ignore, ignore),
  }
}

function parseEvent(data: string): StreamEvent {
  let event: unknown
  try {
    event = JSON.parse(data)
  } catch (cause) {
    throw fault('garbage', { cause })
  }
  if (!isStreamEvent(event)) throw fault('garbage')
  return event
}

function isStreamEvent(value: unknown): value is StreamEvent {
  return isRecord(value) && typeof value['type'] === 'string'
}

/** Notes the sign of life; false where the event holds nothing for the accumulator. */
function note(event: StreamEvent, watchdog: Watchdog | undefined, requestId: string | undefined): boolean {
  if (event.type === 'ping') {
    watchdog?.ping()
    return false
  }
  if (event.type === 'error') throw faultOfErrorEvent(event, requestId)
  watchdog?.content()
  return true
}

/** Reads on in the background until the body ends or the time is up. Never rejects. */
async function drain(opened: Opened, clock: Clock): Promise<void> {
  const limit = timeLimit(clock, drainTime)
  try {
    while ((await Promise.race([opened.read(), limit.over])) !== undefined);
  } catch {
    // Nobody waits for this body any more.
  } finally {
    limit.cancel()
    opened.cancel()
  }
}

function ignore(): void {}
