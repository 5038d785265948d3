import {
  type AgentEvent,
  type Clock,
  type Middleware,
  MillraceError,
  type RunDecision,
  type StateStore,
} from '@millrace/core'
import { aClock, aCount, aFunction, anything, checkOptions, guarded, type Rule, withMethods } from '@millrace/core/kit'
import { backgroundClock } from '@millrace/flags'
import type { Metric } from '../plan/metrics.ts'
import type { RolloutPlan } from '../plan/plan.ts'
import { type CurrentStage, watchStage } from '../run/stage-watch.ts'
import { counterNames, countsKey } from './counters.ts'
import { createRunRecord, type NewRun, type RunRecord } from './run-record.ts'

export interface RecorderOptions {
  /** The store that all instances share. */
  readonly store: StateStore
  readonly plan: RolloutPlan
  /**
   * Returns exactly `true` for a decision that the percentage took. Default: whatever has not the reason `TARGETING_MATCH`. Flag
   * services that give that reason for a percentage as well need a function of their own.
   */
  readonly isDrawn?: (decision: RunDecision) => boolean
  /** Runs that are followed, and counts that are being written, at once. More are not counted. Default: 10,000. */
  readonly limit?: number
  /** Default: the system's, with timers that keep no process alive. */
  readonly clock?: Clock
  /** Told of a store that fails, of runs that cannot be counted. Default: nobody. */
  readonly onWarning?: (error: MillraceError) => void
}

const rules: Readonly<Record<keyof RecorderOptions, Rule>> = {
  store: withMethods('add', 'watch'),
  plan: anything,
  isDrawn: aFunction,
  limit: aCount(1),
  clock: aClock,
  onWarning: aFunction,
}

/**
 * Counts runs for a rollout. It is a middleware for `use` of an agent, and `onEvent` is for `adaptLoop` and for the legacy
 * loop observed in place; with both, a run is counted once.
 */
export interface RolloutRecorder extends Middleware {
  readonly onEvent: (event: AgentEvent) => void
  /** Resolves once the rollout's stage is known. Until then no run is counted. */
  readonly ready: () => Promise<void>
  /** Resolves once everything that was counted is written, or has failed to be. */
  readonly flush: () => Promise<void>
  readonly close: () => void
}

interface Followed {
  readonly record: RunRecord
  readonly at: CurrentStage
  readonly unit: string
}

/**
 * Counts each unit once for a stage, and once for each metric it is bad in, in the group that the run's decision drew it
 * for. A store that fails or hangs changes no run: counting happens beside it.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function createRecorder(options: RecorderOptions): RolloutRecorder {
  checkOptions(options, '', rules)
  const { store, plan, limit = 10_000, clock = backgroundClock, onWarning, isDrawn = isNoMatch } = options
  const followed = new Map<string, Followed>()
  const writing = new Set<Promise<void>>()
  const warned = new Set<string>()

  /** The first warning of each kind. A store that is down would else be reported with each run. */
  function warn(kind: string, message: string, cause?: unknown): void {
    if (warned.has(kind)) return
    warned.add(kind)
    // If the warning callback itself fails, nothing is left to report to.
    guarded(
      () => onWarning?.(new MillraceError('store_unavailable', message, { cause })),
      () => {},
    )
  }

  function drawn(decision: RunDecision): boolean {
    // A hook in JavaScript may return anything, a promise that rejects too: only `true` counts a run.
    let given: unknown
    guarded(
      () => (given = isDrawn(decision)),
      (cause) => warn('drawn', 'isDrawn failed; its runs are not counted', cause),
    )
    return given === true
  }

  const watch = watchStage({
    store,
    plan,
    clock,
    retry: 5000,
    failed: (cause) => warn('watch', 'the state of the rollout could not be read; runs may not be counted', cause),
  })

  function start(run: NewRun): void {
    const at = watch.current()
    if (at === undefined || followed.has(run.runId)) return
    // Until every instance has seen the new percentage, groups are drawn by two of them.
    if (clock.now() - at.seenAt < plan.settle) return
    const unit = unitFor(plan, at, run, drawn)
    if (unit === 'unknown') {
      return warn(
        'unit',
        `runs without ${plan.unit === 'session' ? 'a session id' : 'a targeting key'} are not counted`,
      )
    }
    if (unit === undefined) return
    if (followed.size >= limit) return warn('limit', `more than ${limit} runs at once; some are not counted`)
    followed.set(run.runId, { record: createRunRecord(run), at, unit: unit.id })
  }

  function take(event: AgentEvent): void {
    const run = followed.get(event.runId)
    if (run === undefined) return
    if (event.type !== 'run.finished' && event.type !== 'run.moving') return run.record.take(event)
    followed.delete(event.runId)
    // Another instance ends the run. Nothing more is heard of it here, and its end says nothing about this part.
    if (event.type === 'run.moving') return
    const bad = run.record.judge(event, plan.gates)
    if (bad === undefined) return
    if (writing.size >= limit) return warn('backlog', 'the store is too slow; some runs are not counted')
    const done = write(options, run, bad).catch((cause: unknown) => warn('write', 'a run could not be counted', cause))
    writing.add(done)
    void done.finally(() => writing.delete(done))
  }

  const onEvent = (event: AgentEvent): void => {
    if (event.type !== 'run.started') return take(event)
    const { runId, sessionId, decision, at } = event
    start({ runId, sessionId, decision, startedAt: at })
  }

  return {
    name: 'rollout',
    async run(scope, next) {
      const { runId, sessionId, decision } = scope
      if (!followed.has(runId)) {
        start({ runId, sessionId, decision, startedAt: clock.now() })
        if (followed.has(runId)) scope.observe(take)
      }
      return next()
    },
    onEvent,
    ready: () => watch.ready,
    async flush() {
      await Promise.all(writing)
    },
    close: () => watch.close(),
  }
}

/** Counts the unit, its observation in this period, and what was bad. */
async function write(
  { store, plan }: RecorderOptions,
  { record, at, unit }: Followed,
  bad: readonly Metric[],
): Promise<void> {
  const { arm } = record.decision
  const key = countsKey(plan.name, at.epoch)
  const period = Math.floor(record.startedAt / plan.period)
  const observed = bad.map((metric) => [counterNames.bad(arm, metric), 1] as const)
  await Promise.all([
    store.add(key, { [counterNames.units(arm)]: 1 }, `unit:${unit}`),
    // A new period looks at each unit again. Otherwise a fault that begins late would be seen in new users only.
    store.add(key, { [counterNames.observed(arm)]: 1, ...Object.fromEntries(observed) }, `period:${period}:${unit}`),
    ...bad.map((metric) => store.add(key, { [counterNames.any(arm, metric)]: 1 }, `${metric}:${unit}`)),
  ])
}

function isNoMatch({ flagReason }: RunDecision): boolean {
  return flagReason !== 'TARGETING_MATCH'
}

/** Returns the unit that a run counts for: undefined if the run is not part of the sample, `unknown` if it has none. */
function unitFor(
  plan: RolloutPlan,
  { stage }: CurrentStage,
  { runId, sessionId, decision }: NewRun,
  isDrawn: (decision: RunDecision) => boolean,
): { readonly id: string } | 'unknown' | undefined {
  // A caller's wish, the kill switch or a broken flag source drew nobody.
  if (decision.reason !== 'flag') return undefined
  if (stage.percent === 0 && decision.arm !== 'streaming') return undefined
  // Members of a segment stream whatever the percentage, so the control group has nobody like them.
  if (stage.percent > 0 && !isDrawn(decision)) return undefined
  if (stage.count === 'run' || plan.unit === 'run') return { id: runId }
  const id = plan.unit === 'session' ? sessionId : decision.unit
  return id === undefined ? 'unknown' : { id }
}
