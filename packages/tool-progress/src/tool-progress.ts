import { type Clock, type Middleware, MillraceError, systemClock } from '@millrace/core'
import { createReporter } from './reporter.ts'

export interface ToolProgressOptions {
  /** Milliseconds between two progress events of one call. Default: 100. */
  readonly interval?: number
  /** Milliseconds of silence after which an event is sent that only says that the tool still runs; 0: never. Default: 10,000. */
  readonly heartbeat?: number
  /** Whether speed and remaining time are added, as `data.estimate`, where `total` is known. Default: true. */
  readonly estimates?: boolean
  /** Default: the system's. */
  readonly clock?: Clock
}

const known = ['interval', 'heartbeat', 'estimates', 'clock']

function checkOptions(options: ToolProgressOptions): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    throw new MillraceError('unknown_option', `toolProgress: "${key}" is no option; known are ${known.join(', ')}`, {
      path: key,
    })
  }
  const { interval = 100, heartbeat = 0, estimates = true } = options
  for (const [path, value] of Object.entries({ interval, heartbeat })) {
    if (Number.isFinite(value) && value >= 0 && value <= 2 ** 31 - 1) continue
    throw new MillraceError(
      'invalid_option',
      `toolProgress: ${path} must be a number of milliseconds, from 0 to 2147483647`,
      { path },
    )
  }
  if (typeof estimates !== 'boolean') {
    throw new MillraceError('invalid_option', 'toolProgress: estimates must be true or false', { path: 'estimates' })
  }
}

/**
 * Makes what tools report fit for people: `progress` never falls, at most about ten events a second and the latest of
 * them always, none after the result or an abort, a sign of life from a silent tool, speed and remaining time where the
 * total is known. Tools that do not stream by the run's decision are left alone. The model never sees progress.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
export function toolProgress(options: ToolProgressOptions = {}): Middleware {
  checkOptions(options)
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
