import { manualClock } from '@millrace/testing/async'
import { expect, it } from 'vitest'
import { adaptLoop, createAgent } from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { manualModel, settled } from '../recovery/manual-model.ts'
import { request } from '../support/scripted.ts'

it('a run that another process has taken over is not driven here as well', async () => {
  const clock = manualClock()
  const store = memoryRunStore({ clock })
  const { client, exchange } = manualModel()
  let legacyCalls = 0
  const loop = adaptLoop({
    legacy: (_question: string) => Promise.resolve(`the old way, call ${++legacyCalls}`),
    agent: createAgent({ client, request, runtime: { clock }, journal: runJournal(store) }),
    toInput: (question) => ({ messages: [{ role: 'user', content: question }] }),
    fromResult: ({ text }) => text,
    useStreaming: () => true,
    runtime: { clock, newId: () => 'run-1' },
  })
  const answer = loop('x').catch((error: unknown) => error)
  await exchange(0)
  // Its lease ends, another process takes it, and the next renewal says so.
  await store.renew('run-1', 1, 0)
  expect((await store.acquire('run-1', 30_000)).status).toBe('acquired')
  clock.advance(10_000)
  await settled()
  expect(await answer).toMatchObject({ code: 'lease_lost' })
  expect(legacyCalls).toBe(0)
})
