import type { ManualClock } from '../../src/stores/conformance/index.ts'
import type { AgentEvent } from '../../src/protocol/events.ts'
import { memoryRunStore } from '../../src/stores/memory-run-store.ts'
import type { RunStore } from '../../src/stores/run-store.ts'

export interface Mutant<Store> {
  /** The rule that it breaks. */
  readonly breaks: string
  /** A case that must notice. */
  readonly caughtBy: string
  readonly create: (clock: ManualClock) => Store
}

type Change = (store: RunStore, clock: ManualClock) => Partial<RunStore>

function mutant(breaks: string, caughtBy: string, change: Change): Mutant<RunStore> {
  return {
    breaks,
    caughtBy,
    create: (clock) => {
      const store = memoryRunStore({ clock })
      return { ...store, ...change(store, clock) }
    },
  }
}

const pause = (): Promise<void> => Promise.resolve()

/** The fence that is newest now; a store that looks it up and acts on it later is not atomic. */
function fences(store: RunStore): { readonly newest: (runId: string) => number; readonly store: Partial<RunStore> } {
  const newest = new Map<string, number>()
  return {
    newest: (runId) => newest.get(runId) ?? 0,
    store: {
      async create(record, leaseMs) {
        const result = await store.create(record, leaseMs)
        if (result.status === 'acquired') newest.set(record.runId, result.fence)
        return result
      },
      async acquire(runId, leaseMs) {
        const result = await store.acquire(runId, leaseMs)
        if (result.status === 'acquired') newest.set(runId, result.fence)
        return result
      },
    },
  }
}

async function* onlyUntil(
  source: AsyncIterable<readonly AgentEvent[]>,
  isLast: (event: AgentEvent) => boolean,
): AsyncIterable<readonly AgentEvent[]> {
  for await (const batch of source) {
    yield batch
    if (batch.some((event) => isLast(event))) return
  }
}

export const runStoreMutants: readonly Mutant<RunStore>[] = [
  mutant('create is atomic', 'of many who create one run at once, one does', (store) => ({
    async create(record, leaseMs) {
      const exists = await store.snapshot(record.runId)
      if (exists) return { status: 'exists' }
      await pause()
      await store.create(record, leaseMs)
      return { status: 'acquired', fence: 1, tail: 0 }
    },
  })),
  mutant(
    'create never overwrites',
    'create refuses a run id that exists, open or closed, and changes nothing',
    (store) => {
      const records = new Map<string, Parameters<RunStore['create']>[0]>()
      return {
        create(record, leaseMs) {
          records.set(record.runId, record)
          return store.create(record, leaseMs)
        },
        async snapshot(runId) {
          const snapshot = await store.snapshot(runId)
          return snapshot && { ...snapshot, record: records.get(runId) ?? snapshot.record }
        },
      }
    },
  ),
  mutant(
    'a lease is held until it expires',
    'a lease is held until it expires, and then granted with a larger fence',
    (store) => ({
      async acquire(runId, leaseMs) {
        const result = await store.acquire(runId, leaseMs)
        return result.status === 'held' ? { status: 'acquired', fence: 2, tail: 0 } : result
      },
    }),
  ),
  mutant('a lease expires', 'of many who acquire an expired lease at once, one gets it', (store, clock) => ({
    async acquire(runId, leaseMs) {
      const result = await store.acquire(runId, leaseMs)
      return result.status === 'acquired' ? { status: 'held', expiresAt: clock.now() + 1 } : result
    },
  })),
  mutant('acquire is atomic', 'of many who acquire an expired lease at once, one gets it', (store) => {
    const held = new Map<string, number>()
    return {
      async acquire(runId, leaseMs) {
        const [open] = await store.abandoned(1)
        if (open === undefined && !held.has(runId)) return store.acquire(runId, leaseMs)
        await pause()
        held.set(runId, 2)
        await store.acquire(runId, leaseMs)
        return { status: 'acquired', fence: 2, tail: 0 }
      },
    }
  }),
  mutant(
    'the fence grows with a takeover',
    'a lease is held until it expires, and then granted with a larger fence',
    (store) => ({
      async acquire(runId, leaseMs) {
        const result = await store.acquire(runId, leaseMs)
        return result.status === 'acquired' ? { ...result, fence: 1 } : result
      },
    }),
  ),
  mutant('renew proves the fence', 'a zombie owner can neither renew, nor append, nor close', (store) => {
    const { newest, store: tracked } = fences(store)
    return { ...tracked, renew: (runId, _fence, leaseMs) => store.renew(runId, newest(runId), leaseMs) }
  }),
  mutant('renew prolongs', 'a renewed lease lasts from its renewal', () => ({
    renew: () => Promise.resolve({ status: 'renewed' }),
  })),
  mutant(
    'an expired lease may be renewed',
    'an expired lease can be renewed as long as nobody has taken over',
    (store) => ({
      async renew(runId, fence, leaseMs) {
        const expired = (await store.abandoned(9)).includes(runId)
        return expired ? { status: 'fenced' } : store.renew(runId, fence, leaseMs)
      },
    }),
  ),
  mutant('append proves the fence', 'a zombie owner can neither renew, nor append, nor close', (store) => {
    const { newest, store: tracked } = fences(store)
    return { ...tracked, append: (runId, _fence, events, close) => store.append(runId, newest(runId), events, close) }
  }),
  mutant('a close proves the fence too', 'a zombie owner can neither renew, nor append, nor close', (store) => {
    const { newest, store: tracked } = fences(store)
    return {
      ...tracked,
      append: (runId, fence, events, close) => store.append(runId, close ? newest(runId) : fence, events, close),
    }
  }),
  mutant('only a granted fence counts', 'a fence that was never granted is worthless', (store) => {
    const { newest, store: tracked } = fences(store)
    return {
      ...tracked,
      append: (runId, fence, events, close) =>
        store.append(runId, fence > newest(runId) ? newest(runId) : fence, events, close),
    }
  }),
  mutant('a duplicate is skipped', 'events that are stored already are skipped', (store) => ({
    async append(runId, fence, events, close) {
      const tail = (await store.snapshot(runId))?.tail ?? 0
      const first = events[0]?.seq ?? tail + 1
      return first <= tail ? { status: 'gap', tail } : store.append(runId, fence, events, close)
    },
  })),
  mutant('append is atomic', 'concurrent appends of the same events store them once', (store) => {
    let end = 0
    return {
      async append(runId, fence, events, close) {
        const tail = (await store.snapshot(runId))?.tail ?? 0
        await pause()
        const fresh = events.filter(({ seq }) => seq > tail).map((event, index) => ({ ...event, seq: end + index + 1 }))
        end += fresh.length
        return store.append(runId, fence, fresh, close)
      },
    }
  }),
  mutant('a hole is refused', 'a hole is refused and nothing of it is stored', (store) => ({
    async append(runId, fence, events, close) {
      const result = await store.append(runId, fence, events, close)
      return result.status === 'gap' ? { status: 'appended', tail: events.at(-1)?.seq ?? 0 } : result
    },
  })),
  mutant('a refused close does not close', 'a hole is refused and nothing of it is stored', (store) => ({
    async append(runId, fence, events, close) {
      const result = await store.append(runId, fence, events, close)
      if (result.status === 'gap' && close) await store.append(runId, fence, [], close)
      return result
    },
  })),
  mutant('events and close are one step', 'events and close are one step', (store) => ({
    append(runId, fence, events, close) {
      if (close && events.length > 0) void store.append(runId, fence, [], close)
      return store.append(runId, fence, events, close)
    },
  })),
  mutant('a closed run accepts nothing', 'a closed run accepts nothing more, from anybody', (store) => ({
    async append(runId, fence, events, close) {
      const result = await store.append(runId, fence, events, close)
      return result.status === 'closed' ? { status: 'appended', tail: events.at(-1)?.seq ?? 0 } : result
    },
  })),
  mutant('a closed run is not granted', 'a closed run accepts nothing more, from anybody', (store) => ({
    async acquire(runId, leaseMs) {
      const result = await store.acquire(runId, leaseMs)
      return result.status === 'closed' ? { status: 'acquired', fence: 9, tail: 1 } : result
    },
  })),
  mutant('the first close wins', 'of many who close at once, the first wins', (store) => {
    const outcomes: string[] = []
    return {
      append(runId, fence, events, close) {
        if (close) outcomes.push(close.outcome)
        return store.append(runId, fence, events, close)
      },
      async snapshot(runId) {
        const snapshot = await store.snapshot(runId)
        return outcomes.at(-1) === 'interrupted' && snapshot ? { ...snapshot, outcome: 'interrupted' } : snapshot
      },
    }
  }),
  mutant(
    'a cancel is durable',
    'a cancel is kept, and the owner sees it with its next append, renewal and takeover',
    () => ({
      cancel: () => Promise.resolve(true),
    }),
  ),
  mutant(
    'append tells of a cancel',
    'a cancel is kept, and the owner sees it with its next append, renewal and takeover',
    (store) => ({
      async append(...args) {
        const result = await store.append(...args)
        return result.status === 'appended' ? { status: 'appended', tail: result.tail } : result
      },
    }),
  ),
  mutant(
    'renew tells of a cancel',
    'a cancel is kept, and the owner sees it with its next append, renewal and takeover',
    (store) => ({
      async renew(...args) {
        const result = await store.renew(...args)
        return result.status === 'renewed' ? { status: 'renewed' } : result
      },
    }),
  ),
  mutant(
    'a cancel is told',
    'an owner that waits for a cancel is told, from another instance and before anything is appended',
    () => ({ cancelled: () => new Promise(() => undefined) }),
  ),
  mutant(
    'waiting for a cancel ends',
    'waiting for a cancel ends with the run, with its signal, and where there is no run',
    (store) => ({
      async cancelled(runId, signal) {
        const reason = await store.cancelled?.(runId, signal)
        return reason ?? new Promise(() => undefined)
      },
    }),
  ),
  mutant('the first cancel counts', 'the first cancel counts', (store) => {
    let last: string | undefined
    return {
      cancel(runId, reason) {
        last = reason
        return store.cancel(runId, reason)
      },
      async snapshot(runId) {
        const snapshot = await store.snapshot(runId)
        return snapshot && { ...snapshot, ...(last !== undefined && { cancelled: last }) }
      },
    }
  }),
  mutant('reading follows', 'a reader gets what is stored and then what comes, from another instance', (store) => ({
    async *read(runId, afterSeq, signal) {
      const tail = (await store.snapshot(runId))?.tail ?? 0
      if (tail > afterSeq) yield* onlyUntil(store.read(runId, afterSeq, signal), ({ seq }) => seq >= tail)
    },
  })),
  mutant('reading never ends on an event', 'reading never ends on an event, only when the run is closed', (store) => ({
    read: (runId, afterSeq, signal) =>
      onlyUntil(store.read(runId, afterSeq, signal), ({ type }) => type === 'run.finished'),
  })),
  mutant(
    'reading ends when the run is closed',
    'reading goes on from any cursor, without loss or repetition',
    (store) => ({
      async *read(runId, afterSeq, signal) {
        yield* store.read(runId, afterSeq, signal)
        await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()))
      },
    }),
  ),
  mutant('reading starts after the cursor', 'reading goes on from any cursor, without loss or repetition', (store) => ({
    read: (runId, afterSeq, signal) => store.read(runId, Math.max(0, afterSeq - 1), signal),
  })),
  mutant('reading loses nothing', 'many readers at different places all get everything', (store) => ({
    async *read(runId, afterSeq, signal) {
      for await (const batch of store.read(runId, afterSeq, signal)) yield batch.length > 255 ? batch.slice(1) : batch
    },
  })),
  mutant(
    'reading ends with its signal',
    'reading ends when its signal aborts, before, while it waits, and between batches',
    (store) => ({
      read: (runId, afterSeq) => store.read(runId, afterSeq),
    }),
  ),
  mutant(
    'a cursor beyond the tail is missed events',
    'a cursor beyond the tail and an unknown run are missed events',
    (store) => ({
      async *read(runId, afterSeq, signal) {
        const tail = (await store.snapshot(runId))?.tail ?? 0
        if (tail >= afterSeq) yield* store.read(runId, afterSeq, signal)
      },
    }),
  ),
  mutant(
    'abandoned leaves out what is held',
    'abandoned lists open runs whose lease has expired, and no others',
    (store) => {
      const created: string[] = []
      return {
        create(record, leaseMs) {
          created.push(record.runId)
          return store.create(record, leaseMs)
        },
        abandoned: () => Promise.resolve(created),
      }
    },
  ),
  mutant('an unknown run is not found', 'an unknown run is not found, by every method', (store) => ({
    async renew(...args) {
      const result = await store.renew(...args)
      return result.status === 'not_found' ? { status: 'fenced' } : result
    },
  })),
  mutant(
    'list pages by position',
    'list gives the newest runs first, of one owner or all, open or closed, page by page',
    (store) => ({ list: ({ limit }) => store.list({ limit }) }),
  ),
  mutant(
    'list knows owners',
    'list gives the newest runs first, of one owner or all, open or closed, page by page',
    (store) => ({ list: ({ limit }) => store.list({ limit }) }),
  ),
  mutant('delete deletes', 'a deleted run is gone, and its owner can write nothing more', () => ({
    delete: async () => {},
  })),
]
