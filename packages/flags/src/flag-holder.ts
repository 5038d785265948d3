import { type Clock, type FlagContext, flagKeys } from '@millrace/core'
import { aClock, aDuration, aFunction, anId, checkOptions, type Rule } from '@millrace/core/kit'
import { compileFlags } from './compile.ts'
import { changedFlags, describeHeld, findLoss, findNothing, type Held, hold } from './held-flags.ts'
import type { FlagIssue } from './issues.ts'
import {
  type BooleanDetails,
  type FlagProblem,
  type FlagResolution,
  type LocalFlagSource,
  markStale,
  toBooleanDetails,
} from './source.ts'
import type { FlagReading } from './read-document.ts'
import { createSourceHealth, type SourceHealth } from './source-health.ts'
import { aTargetingEngine, type TargetingEngine } from './targeting.ts'

export interface FlagHolderOptions {
  /** Shown in descriptions and errors. */
  readonly name: string
  readonly clock: Clock
  /** Milliseconds without confirmation after which the document is stale. `Infinity`: never. */
  readonly maxAge: number
  readonly targeting?: TargetingEngine
  /** Stops what feeds the holder. Called once, by `close`. */
  readonly stop?: () => void | Promise<void>
}

/**
 * Holds a flag document. It is never replaced by one without flags, or by one that lacks a flag in use. A flag that is
 * invalid in the new document keeps its last valid definition. Every source of documents is a holder and something
 * that feeds it.
 */
export interface FlagHolder {
  readonly source: LocalFlagSource
  /** Offers a document that held at `asOf` (default: now). Returns the problem if the document was refused. */
  accept(reading: FlagReading, asOf?: number): FlagProblem | undefined
  /** The document was found unchanged. */
  confirm(): void
  /** An update could not be fetched or read. */
  fail(code: FlagProblem['code'], message: string, issues?: readonly FlagIssue[]): void
}

/** What a holder knows. The half that answers and the half that is fed share it. */
interface Knowledge {
  held: Held | undefined
  /** The keys that this process has asked for, and the kill switch. */
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
 * Makes a holder without a document.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function createFlagHolder(options: FlagHolderOptions): FlagHolder {
  checkOptions(options, '', flagHolderRules)
  for (const needed of ['name', 'clock', 'maxAge'] as const) flagHolderRules[needed](options[needed], needed)
  const { name, clock, maxAge, targeting, stop } = options
  const health = createSourceHealth({ name, clock, maxAge })
  const knowledge: Knowledge = { held: undefined, used: new Set([flagKeys.kill]) }
  let closed = false
  return {
    source: {
      ...createAnswers(name, knowledge, health),
      onChange: health.onChange,
      ready: health.ready,
      async close() {
        if (closed) return
        closed = true
        health.close()
        await stop?.()
      },
    },
    accept(reading, asOf = clock.now()) {
      if (closed) return undefined
      const before = knowledge.held
      const { invalid } = reading
      const set = compileFlags(reading.document, { invalid, ...(targeting !== undefined && { targeting }) })
      const issues = [...reading.issues, ...set.issues]
      const refusal = findLoss(before, set, knowledge.used) ?? findNothing(set, issues)
      if (refusal !== undefined) return health.fail(refusal.code, refusal.message, refusal.issues)
      const held = hold(before, set, issues, clock.now())
      knowledge.held = held
      health.prosper(asOf, held.problem)
      if (before !== undefined) health.change(changedFlags(before, held))
      return undefined
    },
    confirm() {
      if (knowledge.held !== undefined) health.prosper(clock.now(), knowledge.held.problem)
    },
    fail(code, message, issues) {
      health.fail(code, message, issues)
    },
  }
}

type Answers = Pick<LocalFlagSource, 'name' | 'resolve' | 'getBooleanDetails' | 'describe'>

function createAnswers(name: string, knowledge: Knowledge, health: SourceHealth): Answers {
  const resolve = (key: string, context?: FlagContext): FlagResolution => {
    if (knowledge.held === undefined) return notReady
    const { set, kept } = knowledge.held
    try {
      const own = set.keyFor(key)
      if (own === undefined) return set.resolve(key, context)
      knowledge.used.add(own)
      return markStale((kept.get(own) ?? set).resolve(own, context), health.isStale())
    } catch {
      return { status: 'error', errorCode: 'GENERAL', errorMessage: `flag "${key}" could not be evaluated` }
    }
  }
  return {
    name,
    resolve,
    getBooleanDetails: (key, fallback, context): BooleanDetails =>
      toBooleanDetails(resolve(key, context), key, fallback),
    describe() {
      const { held } = knowledge
      const flags = held === undefined ? [] : describeHeld(held)
      return { name, ...health.describe(), warnings: held?.warnings ?? [], flags }
    },
  }
}

const notReady: FlagResolution = {
  status: 'error',
  errorCode: 'PROVIDER_NOT_READY',
  errorMessage: 'there are no flags yet',
}
