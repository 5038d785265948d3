import type { ManualClock } from '../../src/stores/conformance/index.ts'
import { memorySessionStore } from '../../src/stores/memory-session-store.ts'
import { memoryStateStore } from '../../src/stores/memory-state-store.ts'
import type { SessionStore } from '../../src/stores/session-store.ts'
import type { StateStore } from '../../src/stores/state-store.ts'
import type { Mutant } from './mutant-run-stores.ts'

function sessionMutant(
  breaks: string,
  caughtBy: string,
  change: (store: SessionStore, clock: ManualClock) => Partial<SessionStore>,
): Mutant<SessionStore> {
  return {
    breaks,
    caughtBy,
    create: (clock) => {
      const store = memorySessionStore({ clock })
      return { ...store, ...change(store, clock) }
    },
  }
}

function stateMutant(
  breaks: string,
  caughtBy: string,
  change: (store: StateStore) => Partial<StateStore>,
): Mutant<StateStore> {
  return {
    breaks,
    caughtBy,
    create: () => {
      const store = memoryStateStore()
      return { ...store, ...change(store) }
    },
  }
}

export const sessionStoreMutants: readonly Mutant<SessionStore>[] = [
  sessionMutant('claim is atomic', 'of many who claim at once, one does', (store) => ({
    async claim(sessionId, runId, ttlMs) {
      const session = await store.load(sessionId)
      if (session.activeRunId !== undefined) return store.claim(sessionId, runId, ttlMs)
      await Promise.resolve()
      for (;;) {
        const result = await store.claim(sessionId, runId, ttlMs)
        if (result.status === 'claimed') return result
        await store.release(sessionId, result.activeRunId)
      }
    },
  })),
  sessionMutant(
    'a claim expires',
    'a claim that has expired is free, and its run can no longer commit once another has claimed',
    (store) => ({
      claim: (sessionId, runId, ttlMs) => store.claim(sessionId, runId, ttlMs * 10),
    }),
  ),
  sessionMutant('a claim is prolonged', 'one run is active; it may claim again', (store) => ({
    async claim(sessionId, runId, ttlMs) {
      const session = await store.load(sessionId)
      return session.activeRunId === runId ? { status: 'claimed', session } : store.claim(sessionId, runId, ttlMs)
    },
  })),
  sessionMutant(
    'a commit proves the claim',
    'a claim that has expired is free, and its run can no longer commit once another has claimed',
    (store) => ({
      async commit(sessionId, runId, version, messages) {
        const { activeRunId = runId } = await store.load(sessionId)
        return store.commit(sessionId, activeRunId, version, messages)
      },
    }),
  ),
  sessionMutant(
    'a commit compares the version',
    'a commit of another version is a conflict and changes nothing',
    (store) => ({
      async commit(sessionId, runId, _version, messages) {
        return store.commit(sessionId, runId, (await store.load(sessionId)).version, messages)
      },
    }),
  ),
  sessionMutant('a commit is atomic', 'of many commits of one version, one succeeds', (store) => ({
    async commit(sessionId, runId, version, messages) {
      const seen = await store.load(sessionId)
      if (seen.version !== version) return store.commit(sessionId, runId, version, messages)
      await Promise.resolve()
      let result = await store.commit(sessionId, runId, version, messages)
      while (result.status === 'conflict') result = await store.commit(sessionId, runId, result.version, messages)
      return result
    },
  })),
  sessionMutant(
    'only its own run releases',
    'release frees a session for others, and only its own run can do it',
    (store) => ({
      async release(sessionId) {
        await store.release(sessionId, (await store.load(sessionId)).activeRunId ?? '')
      },
    }),
  ),
  sessionMutant(
    'release takes the right to commit',
    'release frees a session for others, and only its own run can do it',
    () => ({
      release: () => Promise.resolve(),
    }),
  ),
  sessionMutant(
    'delete takes the claim too',
    'what is deleted is gone, and a run under way cannot bring it back',
    (store) => {
      const deleted = new Set<string>()
      return {
        async delete(sessionId) {
          deleted.add(sessionId)
          await store.delete(sessionId)
        },
        async commit(sessionId, runId, version, messages) {
          if (deleted.has(sessionId) && version === 0) return { status: 'committed', version: 1 }
          return store.commit(sessionId, runId, version, messages)
        },
      }
    },
  ),
  sessionMutant(
    'messages are copied',
    'sessions are apart, and what a caller does to its messages afterwards changes nothing',
    (store) => {
      const kept = new Map<string, Parameters<SessionStore['commit']>[3]>()
      return {
        commit(sessionId, runId, version, messages) {
          kept.set(sessionId, messages)
          return store.commit(sessionId, runId, version, messages)
        },
        async load(sessionId) {
          const session = await store.load(sessionId)
          return { ...session, messages: kept.get(sessionId) ?? session.messages }
        },
      }
    },
  ),
  sessionMutant('a session keeps its owner', 'a session keeps the owner that its first claim named', (store) => ({
    claim: (sessionId, runId, ttlMs) => store.claim(sessionId, runId, ttlMs),
  })),
  sessionMutant(
    'list pages by position',
    'list gives the sessions of an owner, the one that was used last first, page by page',
    (store) => ({ list: ({ owner, limit }) => store.list({ owner, limit }) }),
  ),
]

export const stateStoreMutants: readonly Mutant<StateStore>[] = [
  stateMutant('set compares the version', 'a set at another version is a conflict and changes nothing', (store) => ({
    async set(key, value) {
      return store.set(key, value, (await store.get(key))?.version ?? 0)
    },
  })),
  stateMutant('set is atomic', 'of many sets at one version, one succeeds', (store) => ({
    async set(key, value, expectedVersion) {
      const version = (await store.get(key))?.version ?? 0
      if (version !== expectedVersion) return { status: 'conflict', version }
      await Promise.resolve()
      let result = await store.set(key, value, version)
      while (result.status === 'conflict') result = await store.set(key, value, result.version)
      return result
    },
  })),
  stateMutant('values are copied', 'what a caller does to a value afterwards changes nothing', (store) => {
    const kept = new Map<string, unknown>()
    return {
      set(key, value, version) {
        kept.set(key, value)
        return store.set(key, value, version)
      },
      async get(key) {
        const entry = await store.get(key)
        return entry && { ...entry, value: kept.get(key) }
      },
    }
  }),
  stateMutant('add is atomic', 'counters add up, from every instance at once', (store) => {
    const totals = new Map<string, Record<string, number>>()
    return {
      async add(key, numbers) {
        const before = { ...totals.get(key) }
        await Promise.resolve()
        for (const [name, amount] of Object.entries(numbers)) before[name] = (before[name] ?? 0) + amount
        totals.set(key, before)
        return before
      },
      counters: (key) => Promise.resolve(totals.get(key) ?? {}),
      clearCounters: (key) => store.clearCounters(key),
    }
  }),
  stateMutant(
    'a unit counts once',
    'a unit is counted once per key, however often and from wherever it is given',
    (store) => ({
      add: (key, numbers) => store.add(key, numbers),
    }),
  ),
  stateMutant(
    'a unit counts once for each key',
    'a unit is counted once per key, however often and from wherever it is given',
    (store) => {
      const seen = new Set<string>()
      return {
        async add(key, numbers, once) {
          if (once !== undefined && seen.has(once)) return store.counters(key)
          if (once !== undefined) seen.add(once)
          return store.add(key, numbers)
        },
      }
    },
  ),
  stateMutant('clearing forgets units', 'cleared counters start again, units included', (store) => {
    const seen = new Set<string>()
    return {
      async add(key, numbers, once) {
        if (once !== undefined && seen.has(key + once)) return store.counters(key)
        if (once !== undefined) seen.add(key + once)
        return store.add(key, numbers, once)
      },
    }
  }),
  stateMutant(
    'a number is checked before any is added',
    'what is no JSON, and a number that is not finite, is refused',
    (store) => ({
      async add(key, numbers, once) {
        for (const [name, amount] of Object.entries(numbers)) await store.add(key, { [name]: amount }, once)
        return store.counters(key)
      },
    }),
  ),
  stateMutant(
    'watching gives the last change',
    'a watcher gets the value now and the last change, from another instance',
    (store) => ({
      async *watch(key, signal) {
        let count = 0
        for await (const entry of store.watch(key, signal)) {
          count++
          if (count <= 2) yield entry
        }
      },
    }),
  ),
  stateMutant(
    'watching ends with its signal',
    'watching ends when its signal aborts, before and while it waits',
    (store) => ({
      watch: (key) => store.watch(key, new AbortController().signal),
    }),
  ),
]
