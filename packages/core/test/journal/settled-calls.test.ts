import { manualClock } from '@millrace/testing/async'
import { expect, it } from 'vitest'
import {
  type AgentEvent,
  createAgent,
  defineTool,
  type EventBody,
  type RunDecision,
  type RunResult,
  type ToolOutcome,
} from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { only, request } from '../support/scripted.ts'
import { storedEvents } from './stored-events.ts'

const runId = 'run-1'
const call = { toolUseId: 'toolu_1', name: 'look', input: {}, turn: 1 }
const decision: RunDecision = { mode: 'stream', arm: 'streaming', reason: 'no_flags', tools: {} }

function turnFinished(stopReason: string | null): EventBody {
  return {
    type: 'turn.finished',
    turn: 1,
    attempt: 1,
    mode: 'stream',
    stopReason,
    usage: { input_tokens: 1, output_tokens: 1 },
    content: [{ type: 'tool_use', id: call.toolUseId, name: call.name, input: call.input }],
  }
}

const toolFinished = (outcome: ToolOutcome, result: string): EventBody => ({
  type: 'tool.finished',
  ...call,
  result,
  outcome,
  durationMs: 0,
})

/** Takes over a run whose process died behind these events. */
async function takeOver(...bodies: readonly EventBody[]): Promise<{ events: AgentEvent[]; result: RunResult }> {
  const clock = manualClock()
  const store = memoryRunStore({ clock })
  await store.create({ runId, messages: [{ role: 'user', content: 'Look.' }], createdAt: clock.now() }, 1)
  const head: readonly EventBody[] = [
    { type: 'run.started', decision },
    { type: 'turn.started', turn: 1, attempt: 1, mode: 'stream' },
  ]
  const events = [...head, ...bodies].map((body, index) => ({ ...body, seq: index + 1, runId, at: clock.now() }))
  await store.append(runId, 1, events)
  clock.advance(1)
  const look = defineTool({
    name: 'look',
    description: '',
    inputSchema: { jsonSchema: { type: 'object' } },
    readOnly: true,
    run: () => 'seen again',
  })
  const client = { messages: { create: () => Promise.reject(new Error('nothing is to be asked')) } }
  const agent = createAgent({ client, request, tools: [look], runtime: { clock }, journal: runJournal(store) })
  const resumed = await agent.resume(runId)
  if (resumed.status !== 'resumed') throw new Error(resumed.status)
  const result = await resumed.run.result
  return { events: await storedEvents(store, runId), result }
}

it('an early call whose end is stored keeps it where its turn was interrupted', async () => {
  const { events, result } = await takeOver(
    { type: 'tool.started', ...call, attempt: 1 },
    toolFinished('ok', 'seen'),
    turnFinished(null),
  )
  expect(only(events, 'tool.finished')).toMatchObject([{ outcome: 'ok', result: 'seen' }])
  expect(result).toMatchObject({ outcome: 'interrupted' })
  expect(result.newMessages[1]?.content).toEqual([
    { type: 'tool_result', tool_use_id: call.toolUseId, content: 'seen' },
  ])
})

it('a call that was answered as not run is not told of twice', async () => {
  const { events, result } = await takeOver(turnFinished('max_tokens'), toolFinished('cancelled', 'It was not run'))
  expect(only(events, 'tool.finished')).toHaveLength(1)
  expect(result).toMatchObject({ outcome: 'limit' })
  expect(result.newMessages[1]?.content).toEqual([
    { type: 'tool_result', tool_use_id: call.toolUseId, content: 'It was not run', is_error: true },
  ])
})

it('a call that was not answered yet is answered as not run', async () => {
  const { events } = await takeOver(turnFinished('max_tokens'))
  expect(only(events, 'tool.finished')).toMatchObject([{ outcome: 'cancelled' }])
})
