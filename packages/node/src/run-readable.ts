import { type AgentRun, type Clock, systemClock } from '@millrace/core'
import { aBoolean, aDelay, checkOptions, oneOf, withMethods } from '@millrace/core/kit'
import { checkRun, createEncoder, type StreamFormat } from '@millrace/server'
import { encodeStream } from '@millrace/wire'
import { Readable } from 'node:stream'
import { streamFormats } from './formats.ts'
import { runText } from './run-text.ts'

export interface RunReadableOptions {
  /**
   * Default: `sse`. `text` is only the text, for example for a terminal. A pipe cannot retract text, so start the run with
   * `retraction: 'continue'` or `'hold'`. Otherwise a retraction destroys the stream with `cannot_retract`.
   */
  readonly format?: StreamFormat | 'text'
  /** Send signatures and other raw content as well. Default: false. */
  readonly rawContent?: boolean
  /** Quiet milliseconds before a heartbeat. `text` has no heartbeats. Default: 15,000. */
  readonly heartbeat?: number
  /** Default: the system's. */
  readonly clock?: Clock
}

const rules = {
  format: oneOf('text', ...streamFormats),
  rawContent: aBoolean,
  heartbeat: aDelay(),
  clock: withMethods('now', 'setTimer'),
}

/**
 * Returns a run as a stream of bytes: `pipeline(runToReadable(run), res)`. It reads the run only as fast as it is read, so a
 * slow destination slows the run down. Destroying the stream does not stop the run.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function runToReadable(run: AgentRun, options: RunReadableOptions = {}): Readable {
  checkRun(run)
  checkOptions(options, '', rules)
  const { format = 'sse', rawContent = false, heartbeat = 15_000, clock = systemClock } = options
  const leaving = new AbortController()
  const chunks: AsyncIterable<Uint8Array | string> =
    format === 'text'
      ? runText(run)
      : encodeStream(createEncoder(format, { rawContent }), run.batches(), {
          signal: leaving.signal,
          heartbeatMs: heartbeat,
          clock,
        })
  const iterator = chunks[Symbol.asyncIterator]()

  return new Readable({
    // One chunk, because events that are read ahead are consumed before anybody sees them.
    highWaterMark: 1,
    read() {
      iterator.next().then(
        ({ done, value }) => void this.push(done === true ? null : value),
        (error: unknown) => this.destroy(error instanceof Error ? error : new TypeError('the run cannot be read')),
      )
    },
    destroy(error, callback) {
      leaving.abort()
      // Not awaited, because it would wait for the next event of the run.
      void iterator.return?.()?.catch(() => undefined)
      callback(error)
    },
  })
}
