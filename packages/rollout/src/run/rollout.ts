import { type Clock, MillraceError, type StateStore } from '@millrace/core'
import {
  aClock,
  aDelay,
  aFunction,
  anything,
  checkOptions,
  guarded,
  type Rule,
  timeLimit,
  wait,
  withMethods,
} from '@millrace/core/kit'
import { backgroundClock } from '@millrace/flags'
import { act, type Actor, type RolloutAction } from '../control/act.ts'
import { decide } from '../control/decide.ts'
import type { StageEvidence } from '../control/evidence.ts'
import { judge, type Judgement } from '../control/judge.ts'
import { draftState, type Exposure, exposureOf, type LogEntry, type RolloutState, stageOf } from '../control/state.ts'
import type { RolloutPlan } from '../plan/plan.ts'
import { countsKey, stateKey, toEvidence } from '../record/counters.ts'
import { readState } from './read-state.ts'
import type { RolloutTarget } from './target.ts'

export interface RolloutOptions {
  /** The store that all instances share: it holds the state and the counts. */
  readonly store: StateStore
  readonly plan: RolloutPlan
  /** Where the percentage is set. */
  readonly target: RolloutTarget
  /** Reads the counts of an epoch elsewhere, such as `prometheusEvidence`. Default: the counts of the recorders. */
  readonly evidence?: (epoch: number, state: RolloutState, signal: AbortSignal) => Promise<StageEvidence>
  /** Keeps the whole log. Called once for each entry, by the instance that decided. A failure is reported. */
  readonly audit?: (entry: LogEntry, evidence: StageEvidence) => Promise<void> | void
  /** Milliseconds between two looks. Default: 15,000. */
  readonly interval?: number
  /** Milliseconds that one look may take. Default: 10,000. */
  readonly timeout?: number
  /** Default: the system's, with timers that keep no process alive. */
  readonly clock?: Clock
  /** Told of a store, a target or an audit log that failed. Default: nobody. */
  readonly onWarning?: (error: MillraceError) => void
}

/** Everything that there is to know of a rollout now. Plain JSON. */
export interface RolloutReport {
  readonly plan: RolloutPlan
  readonly state: RolloutState
  readonly exposure: Exposure
  readonly evidence: StageEvidence
  readonly judgement: Judgement
}

export interface Rollout {
  /** Looks once, decides, and sets the percentage. Never rejects. Gives the state, or undefined if the look failed. */
  readonly look: (signal?: AbortSignal) => Promise<RolloutState | undefined>
  /** Looks again and again until `close`. Start it in as many instances as you like. */
  readonly watch: () => void
  /** Does what a person asks. @throws MillraceError `conflict`, `invalid_input`; what the store throws */
  readonly act: (action: RolloutAction, by: Actor, signal?: AbortSignal) => Promise<RolloutState>
  /** @throws what the store throws */
  readonly report: (signal?: AbortSignal) => Promise<RolloutReport>
  readonly close: () => void
}

const rules: Readonly<Record<keyof RolloutOptions, Rule>> = {
  store: withMethods('get', 'set', 'counters'),
  plan: anything,
  target: withMethods('apply'),
  evidence: aFunction,
  audit: aFunction,
  interval: aDelay(),
  timeout: aDelay(),
  clock: aClock,
  onWarning: aFunction,
}

const maxAttempts = 16

/**
 * Makes the controller of a rollout. All instances may run one: each decision is one compare-and-set of one value, so one
 * of them wins, and the others see what it decided. The percentage follows from the state at each look, so nothing is lost
 * if an instance dies in between.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
// oxlint-disable-next-line max-lines-per-function -- short functions over one rollout
export function createRollout(options: RolloutOptions): Rollout {
  checkOptions(options, '', rules)
  for (const needed of ['store', 'target'] as const) rules[needed](options[needed], needed)
  const { store, plan, target, audit, interval = 15_000, timeout = 10_000, clock = backgroundClock } = options
  const readCounts = async (epoch: number): Promise<StageEvidence> =>
    toEvidence(await store.counters(countsKey(plan.name, epoch)))
  const { evidence: readEvidence = readCounts } = options
  const key = stateKey(plan.name)
  const closing = new AbortController()

  function warn(message: string, cause: unknown): void {
    // If the warning callback itself fails, nothing is left to report to.
    guarded(
      () => options.onWarning?.(new MillraceError('store_unavailable', message, { cause })),
      () => {},
    )
  }

  async function read(): Promise<{ readonly state: RolloutState; readonly version: number }> {
    const entry = await store.get(key)
    if (entry === undefined || entry.value === null) {
      return { state: draftState(plan, clock.now()), version: entry?.version ?? 0 }
    }
    return { state: readState(plan, entry.value), version: entry.version }
  }

  /** Keeps the entries that `next` has and `before` has not. The decision stands, whatever becomes of its log. */
  async function keepLog(before: RolloutState, next: RolloutState, evidence: StageEvidence): Promise<void> {
    const last = before.log.at(-1)?.number ?? 0
    for (const entry of next.log.filter(({ number }) => number > last)) {
      try {
        await audit?.(entry, evidence)
      } catch (cause) {
        warn(`the audit log failed; entry ${entry.number} is in the state of the rollout only`, cause)
      }
    }
  }

  async function apply(state: RolloutState, signal: AbortSignal): Promise<void> {
    // A draft has decided nothing: what the flag says now is somebody else's.
    if (state.status === 'draft') return
    const { epoch, salt } = state
    const reason = state.log.at(-1)?.reason ?? plan.name
    try {
      await target.apply({ ...exposureOf(plan, state), flag: plan.flag, salt, epoch, reason }, signal)
    } catch (cause) {
      warn('the percentage could not be set; it is tried again at the next look', cause)
    }
  }

  async function lookOnce(signal: AbortSignal): Promise<RolloutState> {
    const { state, version } = await read()
    if (state.status === 'draft') return state
    // A crash may have come between the last decision and its write.
    await apply(state, signal)
    const evidence = await readEvidence(state.epoch, state, signal)
    signal.throwIfAborted()
    const { next, isDecision } = decide(plan, state, evidence, clock.now())
    const result = await store.set(key, next, version)
    // Another instance has decided in between. What it stored is what counts, at the next look.
    if (result.status === 'conflict') return state
    if (isDecision) {
      await apply(next, signal)
      await keepLog(state, next, evidence)
    }
    return next
  }

  async function look(signal: AbortSignal = closing.signal): Promise<RolloutState | undefined> {
    const limit = timeLimit(clock, timeout)
    const over = new AbortController()
    try {
      const looked = lookOnce(AbortSignal.any([signal, over.signal]))
      // It may reject after its time is over, when nobody waits for it.
      looked.catch(() => {})
      const state = await Promise.race([looked, limit.over])
      if (state === undefined) warn(`a look took longer than ${timeout} ms`, undefined)
      return state
    } catch (cause) {
      if (!signal.aborted) warn('a look at the rollout failed; the next one tries again', cause)
      return undefined
    } finally {
      limit.cancel()
      over.abort()
    }
  }

  async function keepLooking(): Promise<void> {
    while (!closing.signal.aborted) {
      await look()
      await wait(clock, interval, closing.signal)
    }
  }

  return {
    look,
    watch: () => void keepLooking(),
    async act(action, by, signal = closing.signal) {
      for (let attempt = 0; attempt < maxAttempts; attempt++) {
        signal.throwIfAborted()
        const { state, version } = await read()
        const evidence = await readEvidence(state.epoch, state, signal)
        const next = act(plan, state, action, by, clock.now())
        const result = await store.set(key, next, version)
        if (result.status === 'conflict') continue
        await apply(next, signal)
        await keepLog(state, next, evidence)
        return next
      }
      throw new MillraceError('conflict', `the rollout was changed by others ${maxAttempts} times in a row`, {
        retryable: true,
      })
    },
    async report(signal = closing.signal) {
      const { state } = await read()
      const evidence = await readEvidence(state.epoch, state, signal)
      const judgement = judge(plan, stageOf(plan, state), evidence)
      return { plan, state, exposure: exposureOf(plan, state), evidence, judgement }
    },
    close: () => closing.abort(),
  }
}
