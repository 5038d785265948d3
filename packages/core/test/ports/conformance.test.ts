import { describe, expect, it } from 'vitest'
import {
  type ConformanceCase,
  type ConformanceOptions,
  runStoreConformance,
  sessionStoreConformance,
  stateStoreConformance,
} from '../../src/stores/conformance/index.ts'
import { memoryRunStore } from '../../src/stores/memory-run-store.ts'
import { memoryStateStore } from '../../src/stores/memory-state-store.ts'
import { type Mutant, runStoreMutants } from './mutant-run-stores.ts'
import { sessionStoreMutants, stateStoreMutants } from './mutant-small-stores.ts'

// How long a case waits for a mutant that will never answer; a sound store never comes near it.
const timeoutMs = 150

async function failureOf<Store>(
  { create, caughtBy }: Mutant<Store>,
  suite: (options: ConformanceOptions<Store>) => readonly ConformanceCase[],
): Promise<unknown> {
  const found = suite({ create: (clock) => ({ store: create(clock) }), timeoutMs }).find(
    ({ name }) => name === caughtBy,
  )
  if (!found) return `no case is called "${caughtBy}"`
  return found.run().then(
    () => 'not noticed',
    (error: unknown) => error,
  )
}

describe('the suites notice a store that breaks a rule', () => {
  it.each(runStoreMutants)('RunStore: $breaks', async (mutant) => {
    expect(await failureOf(mutant, runStoreConformance)).toBeInstanceOf(Error)
  })
  it.each(sessionStoreMutants)('SessionStore: $breaks', async (mutant) => {
    expect(await failureOf(mutant, sessionStoreConformance)).toBeInstanceOf(Error)
  })
  it.each(stateStoreMutants)('StateStore: $breaks', async (mutant) => {
    expect(await failureOf(mutant, stateStoreConformance)).toBeInstanceOf(Error)
  })
})

describe('gaps', () => {
  const gap = 'a unit is counted once per key, however often and from wherever it is given'
  const withGap = (): { store: ReturnType<typeof memoryStateStore> } => {
    const store = memoryStateStore()
    return { store: { ...store, add: (key, numbers) => store.add(key, numbers) } }
  }

  it('lets a declared gap fail', async () => {
    const cases = stateStoreConformance({ create: withGap, gaps: [gap] })
    await expect(cases.find(({ name }) => name === gap)?.run()).resolves.toBeUndefined()
  })

  it('fails an undeclared one', async () => {
    const cases = stateStoreConformance({ create: withGap })
    await expect(cases.find(({ name }) => name === gap)?.run()).rejects.toThrow('counters after eight adds of one unit')
  })

  it('fails a declared gap that passes', async () => {
    const cases = stateStoreConformance({ create: () => ({ store: memoryStateStore() }), gaps: [gap] })
    await expect(cases.find(({ name }) => name === gap)?.run()).rejects.toThrow('remove it from gaps')
  })

  it('refuses a gap that names no case', () => {
    expect(() => stateStoreConformance({ create: withGap, gaps: ['no such case'] })).toThrow('no case is called')
  })
})

describe('a case', () => {
  it('ends where the store never answers', async () => {
    const create = (): { store: ReturnType<typeof memoryRunStore> } => {
      const store = memoryRunStore()
      return { store: { ...store, create: () => new Promise(() => undefined) } }
    }
    const [first] = runStoreConformance({ create, timeoutMs: 20 })
    await expect(first?.run()).rejects.toThrow('was still waiting after 20 ms')
  })

  it('closes its fixture, whatever came of it', async () => {
    let closed = 0
    const cases = runStoreConformance({
      create: () => ({
        store: memoryRunStore(),
        close: () => {
          closed++
        },
      }),
      timeoutMs,
    })
    await Promise.allSettled(cases.map(({ run }) => run()))
    expect(closed).toBe(cases.length)
  })
})
