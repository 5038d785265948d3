import { type Clock, MillraceError } from '@millrace/core'

export interface ByteStreamOptions {
  readonly clock: Clock
  /** Milliseconds that a chunk may lie unread. */
  readonly stallTimeout: number
  /** Called once. `left`: the client went, or stopped reading, before the end. */
  readonly onEnd: (end: { readonly left: boolean; readonly error?: unknown }) => void
}

/**
 * The body of a response: a chunk is made when the one before has been read, and none ahead, so that a reader that
 * waits holds up the source, to the socket of the model API.
 */
export function byteStream(
  chunks: AsyncIterable<Uint8Array>,
  { clock, stallTimeout, onEnd }: ByteStreamOptions,
): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]()
  const watch = watchReader(clock, stallTimeout)
  let isOver = false

  function end(result: { readonly left: boolean; readonly error?: unknown }): void {
    if (isOver) return
    isOver = true
    watch.stop()
    onEnd(result)
    // Not awaited: a source that waits for its next event would hold the client's leaving. It has been told by `onEnd`.
    if (result.left) void iterator.return?.()?.catch(() => undefined)
  }

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        watch.onStall = () => {
          const error = new MillraceError('connection_lost', `The client read nothing for ${stallTimeout} ms`)
          end({ left: true, error })
          controller.error(error)
        }
      },
      async pull(controller) {
        watch.reads()
        try {
          const next = await iterator.next()
          if (isOver) return
          if (next.done === true) {
            end({ left: false })
            controller.close()
          } else {
            watch.waits()
            controller.enqueue(next.value)
          }
        } catch (error) {
          if (isOver) return
          end({ left: false, error })
          controller.error(error)
        }
      },
      cancel() {
        end({ left: true })
      },
    },
    { highWaterMark: 0 },
  )
}

interface ReaderWatch {
  onStall: () => void
  /** The reader asks for the next chunk. */
  reads(): void
  /** A chunk lies there for the reader. */
  waits(): void
  stop(): void
}

/** One timer for the whole response: it looks now and then, instead of being set anew for each chunk. */
function watchReader(clock: Clock, stallTimeout: number): ReaderWatch {
  // A response that nobody begins to read counts as well.
  let waitsSince: number | undefined = clock.now()
  const check = (): void => {
    const rest = waitsSince === undefined ? stallTimeout : waitsSince + stallTimeout - clock.now()
    if (rest <= 0) watch.onStall()
    else cancelTimer = clock.setTimer(check, rest)
  }
  let cancelTimer = clock.setTimer(check, stallTimeout)
  const watch: ReaderWatch = {
    onStall: () => undefined,
    reads() {
      waitsSince = undefined
    },
    waits() {
      waitsSince = clock.now()
    },
    stop: () => cancelTimer(),
  }
  return watch
}
