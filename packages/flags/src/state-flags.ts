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
   * How often to read the store besides watching it, in milliseconds. If the store's notifications fail, this bounds the delay of a
   * kill. Default: 5,000.
   */
  readonly poll?: number
  /** The longest that one read may take, in milliseconds. Default: 2,000. */
  readonly timeout?: number
  /** Milliseconds without an answer from the store after which the flags are stale. Default: 60,000. */
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
 * Makes a source of flags in a `StateStore` that all instances share: a rollout writes it, and a kill switch in it reaches
 * every instance. Without a document under the key, it has no flags. Write with {@link changeStateFlags}.
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
  // Watching and reading race each other, so an older entry may come later. It is dropped.
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
        // `keepAsking` reports a store that does not answer. Here it is enough to try again.
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
