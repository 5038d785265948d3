import { type StateStore } from '@millrace/core'
import { memoryStateStore } from '@millrace/core/memory'

/** The memory store, whose failures are scripted. */
export interface ScriptedStateStore extends StateStore {
  /** What `get` does from now on. */
  answer: 'answers' | 'rejects' | 'hangs'
  /** Whether `watch` tells of changes, tells the first state only, or throws. */
  notices: 'tells' | 'silent' | 'throws'
  /** Runs before the next `set`, once. */
  before: (() => Promise<void>) | undefined
}

export function scriptedStateStore(): ScriptedStateStore {
  const memory = memoryStateStore()
  const store: ScriptedStateStore = {
    ...memory,
    answer: 'answers',
    notices: 'tells',
    before: undefined,
    async get(key) {
      if (store.answer === 'rejects') throw new Error('redis://secret@host is down')
      if (store.answer === 'hangs') return new Promise(() => {})
      return memory.get(key)
    },
    async set(key, value, expectedVersion) {
      const { before } = store
      store.before = undefined
      await before?.()
      return memory.set(key, value, expectedVersion)
    },
    async *watch(key, signal) {
      if (store.notices === 'throws') throw new Error('no notifications')
      if (store.notices === 'tells') yield* memory.watch(key, signal)
      yield memory.get(key)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    },
  }
  return store
}
