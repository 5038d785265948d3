import { type Clock, type FlagContext, flagKeys } from '@millrace/core'
import { type AgeWatch, createAgeWatch } from './age-watch.ts'
import { compileFlags, type FlagSet } from './compile.ts'
import type { FlagDocument } from './document.ts'
import { type FlagIssue, flagIssue } from './issues.ts'
import {
  aClock,
  aFunction,
  anAge,
  aTargetingEngine,
  aText,
  checkOptions,
  optional,
  type OptionRules,
} from './options.ts'
import {
  type BooleanDetails,
  type FlagProblem,
  type FlagReason,
  type FlagResolution,
  type LocalFlagSource,
  type SourceDescription,
  toBooleanDetails,
} from './source.ts'
import { createSourceEvents } from './source-events.ts'
import type { TargetingEngine } from './targeting.ts'

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
 * What is known of a flag document, and the rules for replacing it: whole or not at all, never by an emptied one, and
 * never by one that lacks a flag in use. Every source over documents is one of these and something that feeds it.
 */
export interface FlagHolder {
  readonly source: LocalFlagSource
  /**
   * Offers a document that held at `asOf` (default: now). Gives the problem for which it was refused, if it was.
   */
  accept(document: FlagDocument, issues: readonly FlagIssue[], asOf?: number): FlagProblem | undefined
  /** What is held was found to hold still. */
  confirm(): void
  /** An update could not be got, or could not be read. */
  fail(code: FlagProblem['code'], message: string, issues?: readonly FlagIssue[]): void
}

/** What a holder knows; its two halves, the one that answers and the one that is fed, share it. */
interface Knowledge {
  held: { readonly set: FlagSet; readonly warnings: readonly FlagIssue[]; asOf: number } | undefined
  problem: FlagProblem | undefined
  closed: boolean
  /** Keys that this process has asked for; the kill switch counts as one. */
  readonly used: Set<string>
}

const flagHolderRules: OptionRules<FlagHolderOptions> = {
  name: aText,
  clock: aClock,
  maxAge: anAge,
  targeting: optional(aTargetingEngine),
  stop: optional(aFunction),
}

/**
 * Makes a holder that knows nothing yet.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function createFlagHolder(options: FlagHolderOptions): FlagHolder {
  checkOptions(options, flagHolderRules)
  const { name, clock, maxAge, targeting, stop } = options
  const events = createSourceEvents(name)
  const knowledge: Knowledge = { held: undefined, problem: undefined, closed: false, used: new Set([flagKeys.kill]) }
  let reportedStale = false
  const age = createAgeWatch(clock, maxAge, (ageMs) => {
    if (reportedStale) return
    reportedStale = true
    events.emit({ type: 'stale', ageMs })
  })

  const prosper = (asOf: number): void => {
    const recovered = knowledge.problem !== undefined || reportedStale
    knowledge.problem = undefined
    reportedStale = false
    if (recovered) events.emit({ type: 'recovered' })
    // A last known good of yesterday is stale at once, and says so.
    age.follow(asOf)
  }
  const refuse = (code: FlagProblem['code'], message: string, issues: readonly FlagIssue[] = []): FlagProblem => {
    const before = knowledge.problem
    const problem = { at: clock.now(), code, message, issues }
    knowledge.problem = problem
    events.fail(problem)
    // A poll that fails the same way every time is one event.
    if (before?.code !== code || before.message !== message) events.emit({ type: 'failed', problem })
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
    accept(document, issues, asOf = clock.now()) {
      if (knowledge.closed) return undefined
      const before = knowledge.held?.set.document
      const loss = before === undefined ? undefined : findLoss(before, document, knowledge.used)
      if (loss !== undefined) return refuse(loss.code, loss.message, loss.issues)
      const set = compileFlags(document, targeting === undefined ? {} : { targeting })
      const broken = set.issues.filter(({ severity }) => severity === 'error')
      if (broken.length > 0) return refuse('invalid', 'its targeting rules are invalid', broken)
      knowledge.held = { set, warnings: [...issues, ...set.issues], asOf }
      prosper(asOf)
      if (before === undefined) {
        events.settle()
        events.emit({ type: 'ready' })
        return undefined
      }
      const flags = changedFlags(before, document)
      if (flags.length > 0) events.emit({ type: 'changed', flags })
      return undefined
    },
    confirm() {
      if (knowledge.closed || knowledge.held === undefined) return
      knowledge.held.asOf = clock.now()
      prosper(knowledge.held.asOf)
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
    const { set } = knowledge.held
    try {
      const own = set.keyFor(key)
      if (own !== undefined) knowledge.used.add(own)
      return markStale(set.resolve(key, context), isStale())
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
        flags: held?.set.describe() ?? [],
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

type Loss = Pick<FlagProblem, 'code' | 'message' | 'issues'>

function findLoss(before: FlagDocument, after: FlagDocument, used: ReadonlySet<string>): Loss | undefined {
  const keys = Object.keys(before.flags)
  if (keys.length > 0 && Object.keys(after.flags).length === 0) {
    return {
      code: 'emptied',
      message: 'it holds no flag any more',
      issues: [flagIssue('error', ['flags'], 'is empty')],
    }
  }
  const lost = keys.filter((key) => used.has(key) && !Object.hasOwn(after.flags, key))
  if (lost.length === 0) return undefined
  const issues = lost.map((key) =>
    flagIssue(
      'error',
      ['flags', key],
      'is in use and was left out: set its state to "DISABLED", or restart the process',
    ),
  )
  return { code: 'dropped', message: `it lacks flags that are in use: ${lost.join(', ')}`, issues }
}

function changedFlags(before: FlagDocument, after: FlagDocument): string[] {
  const keys = [...new Set([...Object.keys(before.flags), ...Object.keys(after.flags)])]
  // Segments, evaluators and metadata reach into every flag.
  const { flags: _before, ...oldRest } = before
  const { flags: _after, ...newRest } = after
  if (JSON.stringify(oldRest) !== JSON.stringify(newRest)) return keys
  return keys.filter((key) => JSON.stringify(before.flags[key]) !== JSON.stringify(after.flags[key]))
}
