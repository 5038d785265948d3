import { type Clock, MillraceError, systemClock } from '@millrace/core'
import { aBoolean, aDelay, checkOptions, oneOf, withMethods } from '@millrace/core/kit'
import { createEncoder, type StreamFormat } from '@millrace/server'
import { isAgentEvent } from '@millrace/wire'
import { Transform } from 'node:stream'
import { streamFormats } from './formats.ts'

export interface EventTransformOptions {
  /** Default: `sse`. */
  readonly format?: StreamFormat
  /** Send signatures and other raw content as well. Default: false. */
  readonly rawContent?: boolean
  /** Quiet milliseconds before a heartbeat. Default: 15,000. */
  readonly heartbeat?: number
  /** Default: the system's. */
  readonly clock?: Clock
}

const rules = {
  format: oneOf(...streamFormats),
  rawContent: aBoolean,
  heartbeat: aDelay(),
  clock: withMethods('now', 'setTimer'),
}

/**
 * Returns a Transform from events, in object mode, to bytes. Use it in a pipeline that inspects events or has them from another
 * source than a run. Each event is a chunk, whereas `runToReadable` sends batches. A value that is not an event destroys the
 * stream with `invalid_input`.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function eventTransform(options: EventTransformOptions = {}): Transform {
  checkOptions(options, '', rules)
  const { format = 'sse', rawContent = false, heartbeat = 15_000, clock = systemClock } = options
  const encoder = createEncoder(format, { rawContent })
  let cancelTimer = (): void => undefined
  let lastAt = clock.now()

  const transform = new Transform({
    writableObjectMode: true,
    construct(callback) {
      beat()
      this.push(encoder.open())
      callback()
    },
    transform(event: unknown, _encoding, callback) {
      if (!isAgentEvent(event)) {
        callback(new MillraceError('invalid_input', 'an event transform takes the events of a run'))
        return
      }
      lastAt = clock.now()
      callback(null, encoder.encode([event]))
    },
    flush(callback) {
      callback(null, encoder.close())
    },
    destroy(error, callback) {
      cancelTimer()
      callback(error)
    },
  })

  /** Checks for silence with one timer for the whole stream, which is cheaper than a timer per event. */
  function beat(): void {
    const rest = lastAt + heartbeat - clock.now()
    if (rest <= 0) {
      // A consumer that is behind knows that the stream is alive, and must not get more to buffer.
      if (transform.readableLength === 0) transform.push(encoder.heartbeat())
      lastAt = clock.now()
    }
    cancelTimer = clock.setTimer(beat, rest <= 0 ? heartbeat : rest)
  }

  return transform
}
