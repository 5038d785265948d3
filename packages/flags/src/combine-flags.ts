import { type Clock, type FlagClient, type FlagContext, type FlagDetails, flagKeys } from '@millrace/core'
import { aBoolean, aClock, aDelay, aListOf, aRecordOf, checkOptions, type Rule, withMethods } from '@millrace/core/kit'
import { backgroundClock } from './background-clock.ts'
import { type BooleanDetails, failedDetails, type FlagReason } from './source.ts'

export interface CombineFlagsOptions {
  /** The sources, in order of precedence: a source of Millrace, an OpenFeature client, or any other {@link FlagClient}. */
  readonly sources: readonly FlagClient[]
  /** Values by flag key that win over every source. Only the kill switch of a source wins over them. Default: none. */
  readonly overrides?: Readonly<Record<string, boolean>>
  /**
   * How long to wait for sources that answer asynchronously, in milliseconds. A source that is late counts as failed.
   * Default: 40, because a run is decided within 50.
   */
  readonly timeout?: number
  readonly clock?: Clock
}

const combineFlagsRules: Readonly<Record<keyof CombineFlagsOptions, Rule>> = {
  sources: aListOf(withMethods('getBooleanDetails')),
  overrides: aRecordOf(aBoolean),
  timeout: aDelay(),
  clock: aClock,
}

/**
 * Makes one client of several sources. A flag is decided by, in this order:
 *
 * 1. the kill switch: if any source has `use_streaming.kill` on, every other flag of Millrace is `false`;
 * 2. `overrides`;
 * 3. the first source that knows the flag. A source that fails, hangs, throws, or has the flag disabled is skipped.
 *
 * The client never throws. It answers synchronously if all sources do. It does not close the sources.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function combineFlags(options: CombineFlagsOptions): FlagClient {
  checkOptions(options, '', combineFlagsRules)
  combineFlagsRules.sources(options.sources, 'sources')
  const { sources, overrides = {}, timeout = 40, clock = backgroundClock } = options
  const fixed = new Map(Object.entries(overrides))

  const ask = (key: string, fallback: boolean, context: FlagContext | undefined): Answers =>
    gather(
      sources.map((source) => askSource(source, key, fallback, context)),
      { clock, timeout },
    )
  const killed = (context: FlagContext | undefined): MaybePromise<boolean> => {
    if (fixed.get(flagKeys.kill) === true) return true
    return then(ask(flagKeys.kill, false, context), (answers) =>
      answers.some((answer) => isUsable(answer) && answer.value),
    )
  }

  return {
    getBooleanDetails(key, fallback, context) {
      if (key === flagKeys.kill) return then(killed(context), (kill) => (kill ? killDetails(true) : noKill(key)))
      const decide = (): MaybePromise<BooleanDetails> => {
        const override = fixed.get(key)
        if (override !== undefined) return { value: override, reason: 'STATIC', variant: 'override' }
        return then(ask(key, fallback, context), (answers) => choose(key, fallback, answers))
      }
      if (key !== flagKeys.streaming && !key.startsWith(`${flagKeys.streaming}.`)) return decide()
      // In parallel: one after the other, a source that hangs would cost its timeout twice.
      const decision = decide()
      return then(killed(context), (kill) => (kill ? killDetails(false) : decision))
    },
  }

  function noKill(key: string): BooleanDetails {
    const override = fixed.get(key)
    return { value: false, reason: override === undefined ? 'DEFAULT' : 'STATIC' }
  }
}

type MaybePromise<T> = T | PromiseLike<T>
type Answers = MaybePromise<readonly FlagDetails<boolean>[]>

function killDetails(value: boolean): BooleanDetails {
  return { value, reason: 'TARGETING_MATCH', variant: 'killed' }
}

/** Asks one source. Its failure is an answer too, so that one source cannot fail the others. */
function askSource(
  source: FlagClient,
  key: string,
  fallback: boolean,
  context: FlagContext | undefined,
): MaybePromise<FlagDetails<boolean>> {
  const failed = failedDetails(fallback, 'GENERAL', 'the source failed')
  // A source may be plain JavaScript, and answer with anything.
  const check = (answer: unknown): FlagDetails<boolean> => (isDetails(answer) ? answer : failed)
  try {
    const answer = source.getBooleanDetails(key, fallback, context)
    return isPromiseLike(answer) ? Promise.resolve(answer).then(check, () => failed) : check(answer)
  } catch {
    return failed
  }
}

function isDetails(answer: unknown): answer is FlagDetails<boolean> {
  return typeof answer === 'object' && answer !== null && 'value' in answer && typeof answer.value === 'boolean'
}

/** Collects the answers in the order of the sources. An answer that is late is an error. */
function gather(
  answers: readonly MaybePromise<FlagDetails<boolean>>[],
  { clock, timeout }: { clock: Clock; timeout: number },
): Answers {
  const late = failedDetails(false, 'GENERAL', 'the source did not answer in time')
  const settled: FlagDetails<boolean>[] = []
  const pending: PromiseLike<void>[] = []
  for (const [index, answer] of answers.entries()) {
    if (!isPromiseLike(answer)) {
      settled[index] = answer
      continue
    }
    settled[index] = late
    pending.push(place(answer, settled, index))
  }
  if (pending.length === 0) return settled
  return new Promise((resolve) => {
    const cancel = clock.setTimer(() => resolve([...settled]), timeout)
    const finish = async (): Promise<void> => {
      await Promise.all(pending)
      cancel()
      resolve(settled)
    }
    void finish()
  })
}

async function place(
  answer: PromiseLike<FlagDetails<boolean>>,
  settled: FlagDetails<boolean>[],
  index: number,
): Promise<void> {
  settled[index] = await answer
}

function choose(key: string, fallback: boolean, answers: readonly FlagDetails<boolean>[]): BooleanDetails {
  const usable = answers.find(isUsable)
  if (usable !== undefined) return asDetails(usable)
  // An error says more than "not found", which every source answers for the flags of others.
  const failed = answers.find(({ errorCode }) => errorCode !== undefined && errorCode !== 'FLAG_NOT_FOUND')
  if (failed !== undefined) return failedDetails(fallback, 'GENERAL', `no source could evaluate "${key}"`)
  const disabled = answers.some(({ errorCode }) => errorCode === undefined)
  if (disabled) return { value: fallback, reason: 'DISABLED' }
  return failedDetails(fallback, 'FLAG_NOT_FOUND', `no source has the flag "${key}"`)
}

/** Returns whether a source decided: it neither failed nor left the value to the code. */
function isUsable({ errorCode, reason }: FlagDetails<boolean>): boolean {
  return errorCode === undefined && reason !== 'DISABLED' && reason !== 'ERROR'
}

const reasons: ReadonlySet<string> = new Set<FlagReason>([
  'STATIC',
  'DEFAULT',
  'TARGETING_MATCH',
  'SPLIT',
  'CACHED',
  'STALE',
])

function isReason(reason: string | undefined): reason is FlagReason {
  return reason !== undefined && reasons.has(reason)
}

function asDetails({ value, variant, reason }: FlagDetails<boolean>): BooleanDetails {
  const known = isReason(reason) ? reason : 'UNKNOWN'
  return variant === undefined ? { value, reason: known } : { value, reason: known, variant }
}

/** Applies `step` synchronously if there is nothing to wait for, so that a decision costs no turn of the event loop. */
function then<T, U>(value: MaybePromise<T>, step: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return isPromiseLike(value) ? Promise.resolve(value).then(step) : step(value)
}

function isPromiseLike<T>(value: MaybePromise<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
