import {
  type AgentEvent,
  isMillraceError,
  type Middleware,
  type RunScope,
  systemClock,
  type TurnEnd,
  type TurnScope,
} from '@millrace/core'
import { watchBreaker } from './breaker.ts'
import { createGuard } from './guard.ts'
import { createLabeller } from './labeller.ts'
import { logBreaker, writeLogs } from './logs.ts'
import { createRecorder } from './meter.ts'
import type { Observe } from './observation.ts'
import { createOpenRuns } from './open-runs.ts'
import { checkTelemetryOptions, type TelemetryOptions } from './options.ts'
import { interrupted, recordMetrics } from './record-metrics.ts'
import { createRequestTimer, type RequestTimer } from './request-timer.ts'
import { requestedModel } from './span-attributes.ts'
import { createRunSpans, type RunSpans } from './spans.ts'
import { tokenCounts } from './token-counts.ts'
import { createTracing } from './tracing.ts'
import { createWindow, type TelemetryWindow } from './window/window.ts'

/** A tool call of the legacy loop, as `wrapLegacyTool` reports it. */
export interface LegacyToolCall {
  readonly name: string
  readonly ok: boolean
  readonly durationMs: number
  readonly reused: boolean
}

/** A middleware that measures, with further hooks and readings. */
export interface Telemetry extends Middleware {
  /** For `onEvent` of `adaptLoop`, which also sees the runs of the control group. */
  readonly onEvent: (event: AgentEvent) => void
  /** For `onCall` of `wrapLegacyTool`, which reports the tools of the control group. */
  readonly onLegacyTool: (call: LegacyToolCall) => void
  readonly window: TelemetryWindow
  /** Stops following the circuit breaker. */
  readonly close: () => void
}

/** The spans and timer of a run inside its agent. */
interface InnerRun {
  readonly spans: RunSpans
  readonly timer: RequestTimer
}

/**
 * Measures runs with metrics, spans, log lines and a window of numbers. Pass it to `use` of an agent, and its `onEvent` to
 * `adaptLoop`. A failure of a meter, tracer or logger never reaches a run.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`
 */
// oxlint-disable-next-line max-lines-per-function -- short functions over what all runs share
export function telemetry(options: TelemetryOptions = {}): Telemetry {
  checkTelemetryOptions(options)
  const { agentName, provider = 'anthropic', legacyModel = 'unknown', meter, tracer, chatSpans = 'own' } = options
  const { logger, breaker, limits = {}, clock = systemClock, onWarning } = options
  const guard = createGuard(onWarning)
  const label = createLabeller(limits)
  const window = createWindow(clock, options.window ?? {})
  const recorder = meter === false ? undefined : createRecorder(meter)
  const consumers: Observe[] = [
    (seen) => window.take(seen),
    ...(recorder === undefined ? [] : [recordMetrics({ record: recorder.record, guard, agentName, provider })]),
    ...(logger === undefined ? [] : [writeLogs(logger, guard)]),
  ]
  const observe: Observe = (seen) => {
    for (const consume of consumers) consume(seen)
  }
  const runs = createOpenRuns({ maxRuns: limits.runs ?? 10_000, observe, label })
  const spanOptions = { open: createTracing(tracer, guard), chat: chatSpans === 'own', agentName, provider }
  const inner = new Map<string, InnerRun>()
  const stopWatching =
    breaker &&
    watchBreaker(breaker, recorder, guard, (from, to) => {
      if (logger !== undefined) logBreaker(logger, guard, from, to)
    })

  // Records one series at once, so that a process without a run yet is not mistaken for one that does not report.
  guard('meter', () => recorder?.record('activeRuns', 0, { mode: 'stream', arm: 'streaming' }))

  /**
   * Takes each event of each run. Called for every delta, so it has no guard of its own: a run guards its observers. A run
   * calls the same observer once, so `use` and `onEvent` of `adaptLoop` may both give it this one.
   */
  function onEvent(event: AgentEvent): void {
    inner.get(event.runId)?.timer.see(event)
    if (event.type !== 'run.started') return runs.take(event)
    const { runId, sessionId, decision, at } = event
    runs.open({ runId, sessionId, decision, model: legacyModel, startedAt: at, resumed: false })
    // The tally notes the number of the event.
    runs.take(event)
  }

  function begin(scope: RunScope): InnerRun {
    const { runId, sessionId, decision, model, resumed } = scope
    const run = { spans: createRunSpans(spanOptions, scope), timer: createRequestTimer(clock) }
    inner.set(runId, run)
    guard('telemetry', () => {
      // `run.started` names no model: a run that it has opened gets its model here.
      runs.find(runId)?.setModel(label.model(model))
      runs.open({ runId, sessionId, decision, model, startedAt: clock.now(), resumed })
      scope.observe(onEvent)
    })
    return run
  }

  function endRequest(scope: TurnScope, timer: RequestTimer, end: TurnEnd): void {
    const { runId, sessionId, decision, mode } = scope
    const { mode: decided, arm } = decision
    const own = { runId, sessionId, mode: decided, arm, model: label.model(scope.model) }
    const run = runs.find(runId)?.run ?? own
    const model = label.model(requestedModel(scope))
    const tokens = tokenCounts(end.message?.usage)
    observe({ type: 'request.ended', run, mode, model, ...timer.times(), errorType: errorTypeOf(end), tokens })
  }

  function errorTypeOf(end: TurnEnd): string | undefined {
    switch (end.status) {
      case 'whole':
        return undefined
      case 'interrupted':
        return interrupted
      case 'broken':
        return label.reason(isMillraceError(end.error) ? end.error.code : 'internal')
    }
  }

  return {
    name: 'telemetry',
    async run(scope, next) {
      const { spans } = begin(scope)
      try {
        return await spans.run(next)
      } finally {
        inner.delete(scope.runId)
      }
    },
    async turn(scope, next) {
      const run = inner.get(scope.runId)
      if (run === undefined) return next(scope)
      const { spans, timer } = run
      timer.start(scope)
      const end = await spans.request(scope, next, () => timer.times().firstChunkMs)
      guard('telemetry', () => endRequest(scope, timer, end))
      return end
    },
    async tool(call, next, scope) {
      const run = inner.get(scope.runId)
      return run === undefined ? next(call) : run.spans.tool(call, next)
    },
    onEvent,
    onLegacyTool({ name, ok, durationMs, reused }) {
      if (reused) return
      guard('telemetry', () =>
        observe({
          type: 'tool.ended',
          run: { runId: '', sessionId: undefined, mode: 'legacy', arm: 'control', model: label.model(legacyModel) },
          tool: label.tool(name),
          toolUseId: undefined,
          outcome: ok ? 'ok' : 'error',
          interrupted: false,
          ms: durationMs,
        }),
      )
    },
    window: { snapshot: window.snapshot, totals: window.totals },
    close: () => stopWatching?.(),
  }
}
