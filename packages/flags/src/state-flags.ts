import type { Clock, StateEntry, StateStore } from '@millrace/core'
import {
  aClock,
  aDelay,
  aDuration,
  anId,
  checkOptions,
  type Rule,
  timeLimit,
  wait,
  withMethods,
} from '@millrace/core/kit'
import { backgroundClock } from './background-clock.ts'
import { createFlagHolder } from './flag-holder.ts'
import { type FlagReading, readFlagDocument } from './read-document.ts'
import { defaultStateKey } from './change-state-flags.ts'
import type { LocalFlagSource } from './source.ts'
import { aTargetingEngine, type TargetingEngine } from './targeting.ts'

export interface StateFlagsOptions {
  readonly store: StateStore
  /** The key of the document in the store. Default: `millrace:flags`. */
  readonly key?: string
  /** Shown in descriptions. Default: `state`. */
  readonly name?: string
  /**
   * How often the store is asked, in milliseconds, beside being watched: the bound on the delay of a kill where the store's
   * notifications fail. Default: 5,000.
   */
  readonly poll?: number
  /** How long one question to the store may take, in milliseconds. Default: 2,000. */
  readonly timeout?: number
  /** Milliseconds without an answer of the store after which the flags are stale. Default: 60,000. */
  readonly maxAge?: number
  readonly targeting?: TargetingEngine
  readonly clock?: Clock
}

const stateFlagsRules: Readonly<Record<keyof StateFlagsOptions, Rule>> = {
  store: withMethods('get', 'set', 'watch'),
  key: anId,
  name: anId,
  poll: aDelay(),
  timeout: aDelay(),
  maxAge: aDuration,
  targeting: aTargetingEngine,
  clock: aClock,
}

/**
 * Flags from a `StateStore`, which all instances share: what a rollout writes, and where an operator's kill switch reaches
 * everyone. No document under the key is a source without flags. Write with {@link changeStateFlags}.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function stateFlags(options: StateFlagsOptions): LocalFlagSource {
  checkOptions(options, '', stateFlagsRules)
  stateFlagsRules.store(options.store, 'store')
  const { store, key = defaultStateKey, name = 'state', poll = 5000, timeout = 2000 } = options
  const { maxAge = 60_000, targeting, clock = backgroundClock } = options
  const closing = new AbortController()
  const { signal } = closing
  const holder = createFlagHolder({
    name,
    clock,
    maxAge,
    ...(targeting !== undefined && { targeting }),
    stop: () => closing.abort(),
  })
  // Watching and asking race each other: an older answer that comes later is dropped.
  let newest = -1
  let accepted = false
  const take = (entry: StateEntry | undefined): void => {
    const version = entry?.version ?? 0
    if (version < newest) return
    if (version === newest && accepted) return holder.confirm()
    const read = entry === undefined || entry.value === null ? emptyDocument : readFlagDocument(entry.value)
    newest = version
    accepted = read.status === 'read' && holder.accept(read) === undefined
    if (read.status === 'refused') holder.fail('invalid', 'the stored document is invalid', read.issues)
  }

  void keepWatching()
  void keepAsking()
  return holder.source

  async function keepWatching(): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const entry of store.watch(key, signal)) take(entry)
      } catch {
        // The asking below reports a store that does not answer; here it is enough to come back.
      }
      await wait(clock, poll, signal)
    }
  }

  async function keepAsking(): Promise<void> {
    while (!signal.aborted) {
      const answer = await ask()
      if (signal.aborted) return
      if (answer.status === 'answered') take(answer.entry)
      else holder.fail('unreachable', 'the store did not answer')
      await wait(clock, poll, signal)
    }
  }

  async function ask(): Promise<StoreAnswer> {
    const limit = timeLimit(clock, timeout)
    try {
      return (await Promise.race([get(), limit.over])) ?? { status: 'failed' }
    } catch {
      return { status: 'failed' }
    } finally {
      limit.cancel()
    }
  }

  async function get(): Promise<StoreAnswer> {
    return { status: 'answered', entry: await store.get(key) }
  }
}

type StoreAnswer =
  | { readonly status: 'answered'; readonly entry: StateEntry | undefined }
  | { readonly status: 'failed' }

const emptyDocument: FlagReading = { status: 'read', document: { flags: {} }, issues: [], invalid: new Map() }
