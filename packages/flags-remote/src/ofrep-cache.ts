import type { FlagContext } from '@millrace/core'
import { linkedController, wait } from '@millrace/core/kit'
import type { SourceHealth } from '@millrace/flags'
import { contextKey, hashKey } from './context-key.ts'
import type { Transport } from './fetch-text.ts'
import { type LastKnownGood, loadPatiently } from './last-known-good.ts'
import type { ContextEntry, ContextTable } from './ofrep-contexts.ts'
import { askServer } from './ofrep-question.ts'
import { type ContextAnswer, readSavedAnswers, writeSavedAnswers } from './ofrep-store.ts'
import { type Attempt, createPoller } from './poller.ts'

export interface OfrepCacheOptions {
  readonly url: URL
  readonly transport: Transport
  readonly health: SourceHealth
  readonly table: ContextTable
  readonly poll: number
  readonly random: () => number
  readonly firstAnswer: number
  readonly lastKnownGood: LastKnownGood | undefined
  /** Returns the part of a context that is sent. */
  readonly select: (context: FlagContext | undefined) => FlagContext
}

/** The server's answers by context, kept up to date. */
export interface OfrepCache {
  /** Reads the entry of a context: at once if it is fresh enough, otherwise after the server answered or its time is over. */
  answer<T>(context: FlagContext | undefined, read: (entry: ContextEntry) => T): T | Promise<T>
  /** Returns the entry for evaluations without a context. */
  home(): ContextEntry
  refresh(): Promise<void>
  close(): Promise<void>
}

/** The number of contexts that are fetched in parallel. */
const width = 4

/** Makes a cache that starts at once: it loads what was saved, then polls. */
export function createOfrepCache(options: OfrepCacheOptions): OfrepCache {
  const { transport, health, table, poll, random, firstAnswer, lastKnownGood, select } = options
  const { clock } = transport
  const poller = createPoller({
    clock,
    random,
    poll,
    attempt() {
      // Even if nobody asks for it, so that an idle process knows whether the server is there.
      enter(undefined)
      return pollAll(table, ask, () => save(lastKnownGood, table, saved, signal))
    },
  })
  const { signal } = poller
  const enter = (context: FlagContext | undefined): ContextEntry => {
    const selected = select(context)
    return table.use(contextKey(selected), selected)
  }
  let saved: ReadonlyMap<string, ContextAnswer> = new Map()
  const recall = async (entry: ContextEntry): Promise<void> => {
    if (entry.known === undefined && saved.size > 0) entry.known = saved.get(await hashKey(entry.key))
  }
  const loaded = begin()

  return {
    answer(context, read) {
      const entry = enter(context)
      return isFresh(entry) ? read(entry) : waitFor(entry, read)
    },
    home: () => enter(undefined),
    refresh: () => poller.refresh(),
    async close() {
      poller.stop()
      await loaded
    },
  }

  /** An entry in use is polled, so an old one was out of use. It is good enough only if the server is down. */
  function isFresh({ known }: ContextEntry): boolean {
    if (signal.aborted) return true
    if (known === undefined) return false
    return clock.now() - known.asOf <= 2 * poll || clock.now() < poller.blockedUntil
  }

  async function waitFor<T>(entry: ContextEntry, read: (entry: ContextEntry) => T): Promise<T> {
    const waiting = linkedController(signal)
    try {
      await Promise.race([learn(entry), wait(clock, firstAnswer, waiting.signal)])
    } finally {
      waiting.abort(undefined)
      waiting.dispose()
    }
    // Again, outside the race: what an earlier process saved is available even if the server is slow.
    await recall(entry)
    return read(entry)
  }

  async function learn(entry: ContextEntry): Promise<void> {
    await loaded
    // First, so that the request has the ETag, and an emptied answer is distinguished from a first one.
    await recall(entry)
    if (clock.now() < poller.blockedUntil || signal.aborted) return
    const attempt = await ask(entry)
    // A failure counts for all contexts: the poll backs off too.
    if (attempt.status === 'failed') poller.note(attempt)
  }

  /** Joins a running request, so that one context is never fetched twice in parallel. */
  function ask(entry: ContextEntry): Promise<Attempt> {
    const run = async (): Promise<Attempt> => {
      try {
        return await askServer(entry, { ...options, signal })
      } finally {
        entry.asking = undefined
      }
    }
    entry.asking ??= run()
    return entry.asking
  }

  async function begin(): Promise<void> {
    const home = enter(undefined)
    saved = readSavedAnswers(await loadPatiently(lastKnownGood, clock, signal))
    if (signal.aborted) return
    await recall(home)
    const newest = Array.from(saved.values(), ({ asOf }) => asOf)
    if (newest.length > 0) health.prosper(Math.min(clock.now(), Math.max(...newest)))
    poller.start()
  }
}

/** Fetches every context in use. Stops at the first failure, because the others would fail too. */
async function pollAll(
  table: ContextTable,
  ask: (entry: ContextEntry) => Promise<Attempt>,
  save: () => Promise<void>,
): Promise<Attempt> {
  const waiting = [...table.takeUsed()]
  let failed: Attempt | undefined
  const work = async (): Promise<void> => {
    for (let entry = waiting.pop(); entry !== undefined && failed === undefined; entry = waiting.pop()) {
      const attempt = await ask(entry)
      if (attempt.status === 'failed') failed = attempt
    }
  }
  await Promise.all(Array.from({ length: width }, work))
  if (failed === undefined) await save()
  return failed ?? { status: 'ok' }
}

async function save(
  store: LastKnownGood | undefined,
  table: ContextTable,
  saved: ReadonlyMap<string, ContextAnswer>,
  signal: AbortSignal,
): Promise<void> {
  if (store === undefined) return
  try {
    await store.save(writeSavedAnswers(await table.toSave(saved)), signal)
  } catch {
    // The next poll tries again. Until then, the disk has the older answers.
  }
}
