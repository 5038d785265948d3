import type { CancelTimer, Clock, ToolProgress } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { createEstimator } from './estimate.ts'
import { readReport } from './report.ts'

export interface ReporterOptions {
  readonly clock: Clock
  /** Milliseconds between two events. */
  readonly interval: number
  /** Milliseconds of silence after which the last message is repeated; 0: never. */
  readonly heartbeat: number
  readonly estimates: boolean
  readonly send: (report: ToolProgress) => void
}

/** The progress of one tool call. */
export interface Reporter {
  /** Takes any report. Never throws. */
  readonly report: (report: unknown) => void
  /** Sends what is held back, then closes. */
  readonly finish: () => void
  /** Drops what is held back. Nothing is sent afterwards. */
  readonly close: () => void
}

interface Held {
  message?: string
  data?: unknown
}

/**
 * Makes a reporter. A report is a state, so between two events the latest value of each field wins. `progress` never
 * falls, and `total` is never below it. Every event repeats both.
 */
export function createReporter({ clock, interval, heartbeat, estimates, send }: ReporterOptions): Reporter {
  const estimator = createEstimator()
  const startedAt = clock.now()
  let progress: number | undefined
  let total: number | undefined
  let lastMessage = 'Still running'
  let held: Held | undefined
  let sentAt: number | undefined
  let cancelTimer: CancelTimer = () => {}
  let closed = false

  function arm(): void {
    cancelTimer()
    if (held === undefined && heartbeat === 0) return
    const period = held === undefined ? Math.max(heartbeat, interval) : interval
    const due = (sentAt ?? startedAt) + period - clock.now()
    // If the wall clock is set back, an event must not wait for longer than its period.
    cancelTimer = clock.setTimer(() => emit(held ?? { message: lastMessage }), Math.min(period, Math.max(0, due)))
  }

  function emit({ message, data }: Held): void {
    const now = clock.now()
    const estimate = estimates && progress !== undefined ? estimator.at(progress, total, now) : undefined
    const full = estimate !== undefined && (data === undefined || isRecord(data)) ? { ...data, estimate } : data
    held = undefined
    sentAt = now
    arm()
    try {
      send({
        ...(progress === undefined ? {} : { progress }),
        ...(total === undefined ? {} : { total }),
        ...(message === undefined ? {} : { message }),
        ...(full === undefined ? {} : { data: full }),
      })
    } catch {
      // An error of the sink must not fail the tool.
    }
  }

  function take(report: ToolProgress): boolean {
    const before = { progress, total }
    if (report.progress !== undefined) progress = Math.max(progress ?? 0, report.progress)
    if (report.total !== undefined) total = report.total
    if (total !== undefined && progress !== undefined) total = Math.max(total, progress)
    if (report.message !== undefined) lastMessage = report.message
    const moved = progress !== before.progress || total !== before.total
    return moved || report.message !== undefined || report.data !== undefined
  }

  function close(): void {
    closed = true
    cancelTimer()
  }

  arm()
  return {
    report(given) {
      if (closed) return
      const report = readReport(given)
      // Reading may run code of the tool, which may end the call.
      if (closed || !take(report)) return
      const waiting = held !== undefined
      held = {
        ...held,
        ...(report.message === undefined ? {} : { message: report.message }),
        ...(report.data === undefined ? {} : { data: report.data }),
      }
      const since = sentAt === undefined ? interval : clock.now() - sentAt
      if (since >= interval) emit(held)
      else if (!waiting) arm()
    },
    finish() {
      if (!closed && held !== undefined) emit(held)
      close()
    },
    close,
  }
}
