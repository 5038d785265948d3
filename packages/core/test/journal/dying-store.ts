import { deferred } from '@millrace/testing/async'
import type { RunStore } from '../../src/index.ts'

/** A store as a process sees it that dies. */
export interface DyingStore extends RunStore {
  /** Resolves once the process has asked for more than it lives to see. */
  readonly died: Promise<void>
}

const never = <T>(): Promise<T> => new Promise(() => {})

/**
 * `store` for a process that dies when its event `lastSeq` is stored: of what it appends after that nothing is, and
 * nothing that it asks is answered any more.
 */
export function dyingStore(store: RunStore, lastSeq: number): DyingStore {
  const { promise: died, resolve } = deferred()
  let dead = false
  const alive =
    <Args extends unknown[], T>(method: (...args: Args) => Promise<T>) =>
    (...args: Args): Promise<T> =>
      dead ? never() : method(...args)
  return {
    died,
    durable: store.durable,
    create: alive((...args) => store.create(...args)),
    acquire: alive((...args) => store.acquire(...args)),
    renew: alive((...args) => store.renew(...args)),
    snapshot: alive((...args) => store.snapshot(...args)),
    cancel: alive((...args) => store.cancel(...args)),
    abandoned: alive((...args) => store.abandoned(...args)),
    list: alive((...args) => store.list(...args)),
    delete: alive((...args) => store.delete(...args)),
    read: (...args) => store.read(...args),
    append: alive(async (runId, fence, events, close) => {
      const stored = events.filter(({ seq }) => seq <= lastSeq)
      if (stored.length === events.length) return store.append(runId, fence, events, close)
      dead = true
      if (stored.length > 0) await store.append(runId, fence, stored)
      resolve()
      return never()
    }),
  }
}
