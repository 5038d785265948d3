import { expect, it } from 'vitest'
import type { AgentEvent, EventBody, RunRecord } from '../../src/index.ts'
import { readStored, rebuild } from '../../src/journal/rebuild.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { countWork } from '../support/work-counter.ts'

const runId = 'run-1'
const record: RunRecord = { runId, messages: [{ role: 'user', content: 'Hello' }], createdAt: 0 }

/** An open turn of so many blocks, with four deltas each. */
function openTurn(blocks: number): AgentEvent[] {
  const place = { turn: 1, attempt: 1 }
  const bodies: EventBody[] = [{ type: 'turn.started', ...place, mode: 'stream' }]
  for (let block = 0; block < blocks; block++) {
    bodies.push({ type: 'block.started', ...place, block, kind: 'text' })
    for (const text of ['a', 'b', 'c', 'd']) bodies.push({ type: 'text.delta', ...place, block, text })
  }
  return bodies.map((body, index) => ({ ...body, seq: index + 1, runId, at: 0 }))
}

async function elementsFor(blocks: number): Promise<number> {
  const events = openTurn(blocks)
  const { elements } = await countWork(async () => {
    const { from } = rebuild(record, events, 'Go on.')
    expect(from.type === 'reopened' && from.shown.at(-1)).toMatchObject({ text: 'abcd' })
  })
  return elements
}

it('a run is rebuilt at a cost that grows with its events, not with their square', async () => {
  const few = await elementsFor(100)
  const many = await elementsFor(1_000)
  expect(many / few).toBeLessThan(12)
})

it('a store may give any number of events at once', async () => {
  const events = openTurn(50_000)
  const store = {
    ...memoryRunStore(),
    async *read() {
      yield events
    },
  }
  expect(await readStored(store, runId, events.length)).toEqual(events)
})
