import { text } from '@millrace/testing'
import { manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { type AgentOptions, createAgent, type RunInput, type RunStore } from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { manualModel, settled } from '../recovery/manual-model.ts'
import { claudeFor, clientOf, question, request } from '../support/scripted.ts'

const runId = 'run-1'
const input: RunInput = { messages: question, runId, mode: 'stream' }

interface Setup {
  readonly clock: ManualClock
  readonly store: RunStore
}

function setup(): Setup {
  const clock = manualClock()
  return { clock, store: memoryRunStore({ clock }) }
}

function options(store: RunStore, clock: ManualClock): Omit<AgentOptions, 'client'> {
  return { request, recovery: { backoff: 0 }, runtime: { clock }, journal: runJournal(store) }
}

describe('a cancel through the store', () => {
  /** A store that tells of a cancel only where it is written to. */
  function setupUntold(): Setup {
    const { clock, store } = setup()
    const { cancelled: _, ...untold } = store
    return { clock, store: untold }
  }

  it('is seen at once where the store tells of it', async () => {
    const { clock, store } = setup()
    const model = manualModel()
    const run = createAgent({ client: model.client, ...options(store, clock) }).run(input)
    const { begin } = await model.exchange(0)
    begin('One')
    await settled()
    await store.cancel(runId, 'by the user')
    expect(await run.result).toMatchObject({ outcome: 'interrupted', text: 'One' })
  })

  it('is seen at the next renewal where the store fails to tell of it', async () => {
    const { clock, store } = setup()
    const model = manualModel()
    const failing: RunStore = { ...store, cancelled: () => Promise.reject(new Error('no notification')) }
    const run = createAgent({ client: model.client, ...options(failing, clock) }).run(input)
    const { begin } = await model.exchange(0)
    begin('One')
    await settled()
    clock.advance(25)
    await settled()
    await store.cancel(runId, 'by the user')
    clock.advance(9_975)
    expect(await run.result).toMatchObject({ outcome: 'interrupted', text: 'One' })
  })

  it('is seen at the next append', async () => {
    const { clock, store } = setupUntold()
    const model = manualModel()
    const run = createAgent({ client: model.client, ...options(store, clock) }).run(input)
    const { begin, more } = await model.exchange(0)
    begin('One')
    await settled()
    expect(await store.cancel(runId, 'by the user')).toBe(true)
    more(' two')
    await settled()
    clock.advance(25)
    expect(await run.result).toMatchObject({ outcome: 'interrupted', text: 'One two' })
    expect(await store.snapshot(runId)).toMatchObject({ closed: true, outcome: 'interrupted' })
  })

  it('is seen at the next renewal where nothing is appended', async () => {
    const { clock, store } = setupUntold()
    const model = manualModel()
    const run = createAgent({ client: model.client, ...options(store, clock) }).run(input)
    const { begin } = await model.exchange(0)
    begin('One')
    await settled()
    clock.advance(25)
    await settled()
    await store.cancel(runId, 'by the user')
    clock.advance(9_975)
    expect(await run.result).toMatchObject({ outcome: 'interrupted', text: 'One' })
  })

  it('that nobody lived to see is seen by who takes over', async () => {
    const { clock, store } = setup()
    const claude = await claudeFor([{ content: [text('All is done.')] }])
    await store.create({ runId, messages: [{ role: 'user', content: 'Hello?' }], createdAt: clock.now() }, 30_000)
    await store.cancel(runId, 'by the user')
    clock.advance(30_000)
    const resumed = await createAgent({ client: clientOf(claude), ...options(store, clock) }).resume(runId)
    if (resumed.status !== 'resumed') throw new Error(resumed.status)
    expect(await resumed.run.result).toMatchObject({ outcome: 'interrupted', newMessages: [] })
    expect(claude.requests).toHaveLength(0)
  })
})
