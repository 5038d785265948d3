import { describe, expect, it } from 'vitest'
import {
  runStoreConformance,
  sessionStoreConformance,
  stateStoreConformance,
} from '../../src/stores/conformance/index.ts'
import { memoryRunStore } from '../../src/stores/memory-run-store.ts'
import { memorySessionStore } from '../../src/stores/memory-session-store.ts'
import { memoryStateStore } from '../../src/stores/memory-state-store.ts'

const eventsMs = 60_000

describe('memoryRunStore', () => {
  const cases = runStoreConformance({
    create: (clock) => ({
      store: memoryRunStore({ clock, retention: { eventsMs } }),
      expireEvents: () => clock.advance(eventsMs),
    }),
  })
  it.each(cases)('$name', ({ run }) => expect(run()).resolves.toBeUndefined())
})

describe('memorySessionStore', () => {
  const cases = sessionStoreConformance({ create: (clock) => ({ store: memorySessionStore({ clock }) }) })
  it.each(cases)('$name', ({ run }) => expect(run()).resolves.toBeUndefined())
})

describe('memoryStateStore', () => {
  const cases = stateStoreConformance({ create: () => ({ store: memoryStateStore() }) })
  it.each(cases)('$name', ({ run }) => expect(run()).resolves.toBeUndefined())
})
