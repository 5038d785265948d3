import type { Clock } from '../kit/clock.ts'
import { timeLimit } from '../kit/clock.ts'
import { MillraceError } from '../kit/errors.ts'
import { linkedController } from '../kit/signals.ts'
import { fault, toFault } from '../protocol/faults.ts'
import type { RequestOptions } from './model-client.ts'
import type { SourceOptions } from './turn-source.ts'
import { createWatchdog, type Watchdog, type WatchdogLimits } from './watchdog.ts'

/** How long, in ms, the rest of a body is read after the turn is whole, so that its connection can serve again. */
export const drainTime = 250

/** An answer that has begun to arrive. */
export interface OpenedStream<Item> {
  /** The items of the next read, of which `watchdog` is told; undefined at the end of the body. */
  read(watchdog?: Watchdog): Promise<readonly Item[] | undefined>
  cancel(): void
}

export interface WatchedStreamOptions {
  readonly clock: Clock
  readonly limits: WatchdogLimits
}

/**
 * Opens a stream and gives what it brings in batches, one for each read, under the watchdog. Throws a MillraceError of a
 * fault code where it breaks off.
 */
export async function* watchedStream<Item>(
  connect: (options: RequestOptions) => Promise<OpenedStream<Item>>,
  { clock, limits }: WatchedStreamOptions,
  { signal, ready, onDrain }: SourceOptions,
): AsyncGenerator<readonly Item[], void, void> {
  const link = linkedController(signal)
  const watchdog = createWatchdog(clock, limits, link.abort)
  let opening: Promise<OpenedStream<Item>> | undefined
  let opened: OpenedStream<Item> | undefined
  let finished = false
  try {
    opening = connect({ maxRetries: 0, timeout: limits.connectTimeout, signal: link.signal })
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
      // The consumer has left because the turn is whole: what follows is at most a message_stop.
      onDrain(drain(opened, clock).finally(() => link.dispose()))
    } else {
      if (!finished) opened?.cancel()
      link.dispose()
    }
  }
}

/**
 * Reads the body of a response that says it is an event stream.
 *
 * @param take gives what a chunk completes, and tells the watchdog of what it finds
 * @throws MillraceError `not_a_stream`
 */
export function openEventStream<Item>(
  response: Response,
  take: (chunk: Uint8Array, watchdog: Watchdog | undefined, requestId: string | undefined) => Iterable<Item>,
): OpenedStream<Item> {
  const requestId = response.headers.get('request-id') ?? undefined
  const type = response.headers.get('content-type') ?? ''
  if (response.body === null || !type.toLowerCase().startsWith('text/event-stream')) {
    response.body?.cancel().catch(ignore)
    throw fault('not_a_stream', requestId === undefined ? {} : { requestId })
  }
  const reader = response.body.getReader()
  let broken: Error | undefined

  return {
    async read(watchdog) {
      if (broken !== undefined) throw broken
      const { done, value } = await reader.read()
      if (done) return undefined
      watchdog?.alive()
      const batch: Item[] = []
      try {
        for (const item of take(value, watchdog, requestId)) batch.push(item)
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

/** Reads on in the background until the body ends or the time is up. Never rejects. */
async function drain(opened: OpenedStream<unknown>, clock: Clock): Promise<void> {
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
