import { type Clock, type FlagContext, flagKeys } from '@millrace/core'
import { aClock, aDuration, aFunction, anId, checkOptions, type Rule } from '@millrace/core/kit'
import { type AgeWatch, createAgeWatch } from './age-watch.ts'
import { compileFlags } from './compile.ts'
import { changedFlags, describeHeld, findLoss, findNothing, type Held, hold } from './held-flags.ts'
import type { FlagIssue } from './issues.ts'
import {
  type BooleanDetails,
  type FlagProblem,
  type FlagReason,
  type FlagResolution,
  type LocalFlagSource,
  type SourceDescription,
  toBooleanDetails,
} from './source.ts'
import type { FlagReading } from './read-document.ts'
import { createSourceEvents } from './source-events.ts'
import { aTargetingEngine, type TargetingEngine } from './targeting.ts'

export interface FlagHolderOptions {
  /** Shown in descriptions and errors. */
  readonly name: string
  readonly clock: Clock
  /** Milliseconds without confirmation after which what is held is stale. `Infinity`: never. */
  readonly maxAge: number
  readonly targeting?: TargetingEngine
  /** Stops what feeds the holder. Called once. */
  readonly stop?: () => void | Promise<void>
}

/**
 * What is known of a flag document, and the rules for replacing it: never by one without flags, and never by one that lacks a
 * flag in use. A flag that is invalid in the new document keeps its last valid definition. Every source over documents
 * is a holder and something that feeds it.
 */
export interface FlagHolder {
  readonly source: LocalFlagSource
  /** Offers a document that held at `asOf` (default: now). Returns the problem if the document was refused. */
  accept(reading: FlagReading, asOf?: number): FlagProblem | undefined
  /** What is held was found to hold still. */
  confirm(): void
  /** An update could not be got, or could not be read. */
  fail(code: FlagProblem['code'], message: string, issues?: readonly FlagIssue[]): void
}

/** What a holder knows; its two halves, the one that answers and the one that is fed, share it. */
interface Knowledge {
  held: Held | undefined
  problem: FlagProblem | undefined
  closed: boolean
  /** Keys that this process has asked for; the kill switch counts as one. */
  readonly used: Set<string>
}

const flagHolderRules: Readonly<Record<keyof FlagHolderOptions, Rule>> = {
  name: anId,
  clock: aClock,
  maxAge: aDuration,
  targeting: aTargetingEngine,
  stop: aFunction,
}

/**
 * Makes a holder that knows nothing yet.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function createFlagHolder(options: FlagHolderOptions): FlagHolder {
  checkOptions(options, '', flagHolderRules)
  for (const needed of ['name', 'clock', 'maxAge'] as const) flagHolderRules[needed](options[needed], needed)
  const { name, clock, maxAge, targeting, stop } = options
  const events = createSourceEvents(name)
  const knowledge: Knowledge = { held: undefined, problem: undefined, closed: false, used: new Set([flagKeys.kill]) }
  let reportedStale = false
  const age = createAgeWatch(clock, maxAge, (ageMs) => {
    if (reportedStale) return
    reportedStale = true
    events.emit({ type: 'stale', ageMs })
  })

  const prosper = ({ problem, asOf }: Held): void => {
    const before = knowledge.problem
    const recovered = reportedStale || (before !== undefined && !isSame(before, problem))
    knowledge.problem = problem
    reportedStale = false
    if (recovered) events.emit({ type: 'recovered' })
    if (problem !== undefined && (recovered || !isSame(before, problem))) events.emit({ type: 'failed', problem })
    // A last known good of yesterday is stale at once, and says so.
    age.follow(asOf)
  }
  const refuse = (code: FlagProblem['code'], message: string, issues: readonly FlagIssue[] = []): FlagProblem => {
    const before = knowledge.problem
    const problem = { at: clock.now(), code, message, issues }
    knowledge.problem = problem
    events.fail(problem)
    // A poll that fails the same way every time is one event.
    if (!isSame(before, problem)) events.emit({ type: 'failed', problem })
    return problem
  }

  return {
    source: {
      ...createAnswers(name, clock, knowledge, age),
      onChange: events.onChange,
      ready: events.ready,
      async close() {
        if (knowledge.closed) return
        knowledge.closed = true
        age.stop()
        events.close()
        await stop?.()
      },
    },
    accept(reading, asOf = clock.now()) {
      if (knowledge.closed) return undefined
      const before = knowledge.held
      const { invalid } = reading
      const set = compileFlags(reading.document, { invalid, ...(targeting !== undefined && { targeting }) })
      const issues = [...reading.issues, ...set.issues]
      const refusal = findLoss(before, set, knowledge.used) ?? findNothing(set, issues)
      if (refusal !== undefined) return refuse(refusal.code, refusal.message, refusal.issues)
      const held = hold(before, set, issues, { asOf, at: clock.now() })
      knowledge.held = held
      prosper(held)
      if (before === undefined) {
        events.settle()
        events.emit({ type: 'ready' })
        return undefined
      }
      const flags = changedFlags(before, held)
      if (flags.length > 0) events.emit({ type: 'changed', flags })
      return undefined
    },
    confirm() {
      if (knowledge.closed || knowledge.held === undefined) return
      knowledge.held.asOf = clock.now()
      prosper(knowledge.held)
    },
    fail(code, message, issues) {
      if (!knowledge.closed) refuse(code, message, issues)
    },
  }
}

type Answers = Pick<LocalFlagSource, 'name' | 'resolve' | 'getBooleanDetails' | 'describe'>

function createAnswers(name: string, clock: Clock, knowledge: Knowledge, age: AgeWatch): Answers {
  const isStale = (): boolean => knowledge.held !== undefined && age.isStale(knowledge.held.asOf)
  const resolve = (key: string, context?: FlagContext): FlagResolution => {
    if (knowledge.held === undefined) return notReady
    const { set, kept } = knowledge.held
    try {
      const own = set.keyFor(key) ?? key
      if (set.keyFor(key) !== undefined) knowledge.used.add(own)
      return markStale((kept.get(own) ?? set).resolve(own, context), isStale())
    } catch {
      return { status: 'error', errorCode: 'GENERAL', errorMessage: `flag ${key} could not be evaluated` }
    }
  }
  return {
    name,
    resolve,
    getBooleanDetails: (key, fallback, context): BooleanDetails =>
      toBooleanDetails(resolve(key, context), key, fallback),
    describe() {
      const { held, problem, closed } = knowledge
      return {
        name,
        status: closed ? 'closed' : statusOf(held !== undefined, isStale(), problem !== undefined),
        ...(held !== undefined && { asOf: held.asOf, ageMs: clock.now() - held.asOf }),
        ...(problem !== undefined && { problem }),
        warnings: held?.warnings ?? [],
        flags: held === undefined ? [] : describeHeld(held),
      }
    },
  }
}

const notReady: FlagResolution = {
  status: 'error',
  errorCode: 'PROVIDER_NOT_READY',
  errorMessage: 'there are no flags yet',
}

function markStale(resolution: FlagResolution, stale: boolean): FlagResolution {
  if (!stale || resolution.status !== 'resolved') return resolution
  const reason: FlagReason = 'STALE'
  return { ...resolution, reason }
}

function statusOf(held: boolean, stale: boolean, failing: boolean): SourceDescription['status'] {
  if (!held) return failing ? 'failed' : 'starting'
  return stale ? 'stale' : 'ready'
}

function isSame(one: FlagProblem | undefined, other: FlagProblem | undefined): boolean {
  return one?.code === other?.code && one?.message === other?.message
}
