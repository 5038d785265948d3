import { type Clock, type Middleware, systemClock } from '@millrace/core'
import { aBoolean, aClock, aDelay, checkOptions, type Rule } from '@millrace/core/kit'
import { createReporter } from './reporter.ts'

export interface ToolProgressOptions {
  /** Milliseconds between two progress events of one call. Default: 100. */
  readonly interval?: number
  /** Milliseconds of silence after which an event repeats the last message; 0: never. Default: 10,000. */
  readonly heartbeat?: number
  /** Whether speed and remaining time are added as `data.estimate` if `total` is known. Default: true. */
  readonly estimates?: boolean
  /** Default: the system clock. */
  readonly clock?: Clock
}

const rules: Readonly<Record<keyof ToolProgressOptions, Rule>> = {
  interval: aDelay(0),
  heartbeat: aDelay(0),
  estimates: aBoolean,
  clock: aClock,
}

/**
 * Makes a middleware that turns the reports of tools into events that people can follow:
 *
 * - `progress` never falls.
 * - There are at most about ten events a second, and the latest report is always sent.
 * - Nothing is sent after the result or an abort.
 * - A silent tool repeats its last message.
 * - Speed and remaining time are added if the total is known.
 *
 * A tool that does not stream by the run's decision is not touched. The model never sees progress.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function toolProgress(options: ToolProgressOptions = {}): Middleware {
  checkOptions(options, '', rules)
  const { interval = 100, heartbeat = 10_000, estimates = true, clock = systemClock } = options
  return {
    name: 'tool-progress',
    async tool(call, next) {
      if (!call.streams) return next(call)
      const reporter = createReporter({ clock, interval, heartbeat, estimates, send: call.progress })
      call.signal.addEventListener('abort', reporter.close, { once: true })
      try {
        if (call.signal.aborted) reporter.close()
        const end = await next({ ...call, progress: reporter.report })
        reporter.finish()
        return end
      } finally {
        reporter.close()
        call.signal.removeEventListener('abort', reporter.close)
      }
    },
  }
}
