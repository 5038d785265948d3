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
 * From events, in object mode, to bytes: for a pipeline that looks at events on their way, or has them from elsewhere than
 * a run. Each event is a chunk; `runToReadable` sends together what arrives together. What is no event destroys it with
 * `invalid_input`.
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

  /** One timer for the whole stream: it looks now and then, instead of being set anew for each event. */
  function beat(): void {
    const rest = lastAt + heartbeat - clock.now()
    if (rest <= 0) {
      // A reader that is behind sees that the stream lives, and must not be given more to hold.
      if (transform.readableLength === 0) transform.push(encoder.heartbeat())
      lastAt = clock.now()
    }
    cancelTimer = clock.setTimer(beat, rest <= 0 ? heartbeat : rest)
  }

  return transform
}
