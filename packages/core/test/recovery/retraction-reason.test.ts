import { type FaultRule, text, toolUse, type Turn } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { type AgentEvent, type AgentRun, defineTool } from '../../src/index.ts'
import { agentOn, claudeFor, only, question } from '../support/scripted.ts'
import { historyText, screenOf } from './screen.ts'

const charge = (): ReturnType<typeof defineTool> =>
  defineTool({ name: 'charge', description: '', inputSchema: { jsonSchema: { type: 'object' } }, run: () => 'charged' })

type Breaks = readonly (readonly [FaultRule, reason: string])[]

/** Ways in which a stream breaks in front of this event, and the code of each. */
const breaksAt = (event: number): Breaks => [
  [{ kind: 'destroy', at: { event } }, 'connection_lost'],
  [{ kind: 'break-chunk', at: { event } }, 'connection_lost'],
  [{ kind: 'end', at: { event } }, 'truncated'],
  [{ kind: 'garbage-line', mode: 'instead', at: { event } }, 'garbage'],
  [{ kind: 'error-event', errorType: 'overloaded_error', at: { event } }, 'overloaded'],
  [{ kind: 'error-event', errorType: 'api_error', at: { event } }, 'server_error'],
]

/** Runs to its end, and checks that the screen shows what history holds. */
async function eventsOfRun(run: AgentRun, onEvent: (event: AgentEvent) => void = () => {}): Promise<AgentEvent[]> {
  const events: AgentEvent[] = []
  for await (const event of run) {
    events.push(event)
    onEvent(event)
  }
  const { newMessages } = await run.result
  expect(screenOf(events).text()).toBe(historyText(newMessages))
  return events
}

describe('what is withdrawn says why', () => {
  const salvaged: readonly Turn[] = [
    {
      content: [toolUse('charge', { cents: 5 }, { id: 'toolu_1' }), text('This takes a moment, please wait.')],
      chunking: { sizes: [20] },
    },
    { content: [text('Done.')] },
  ]

  it.each(breaksAt(8))('where a turn is salvaged after %j: %s', async (fault, reason) => {
    const claude = await claudeFor(salvaged, { faults: [{ ...fault, turn: 1 }] })
    const run = agentOn(claude, { tools: [charge()] }).run({ messages: question, mode: 'stream' })
    const events = await eventsOfRun(run)
    expect(only(events, 'fallback')).toMatchObject([{ to: 'salvage', reason }])
    expect(only(events, 'turn.retracted')).toMatchObject([{ turn: 1, fromBlock: 1, fromOffset: 0, reason }])
  })

  const failed: readonly Turn[] = [
    {
      content: [text('I charge.'), toolUse('charge', { cents: 5, note: 'a longer input' }, { id: 'toolu_1' })],
      chunking: { sizes: [9] },
    },
  ]

  it.each(breaksAt(6))('where a turn fails after %j: %s', async (fault, reason) => {
    const claude = await claudeFor(failed, { faults: [fault] })
    const recovery = { extraRequests: 0 }
    const run = agentOn(claude, { tools: [charge()], recovery }).run({ messages: question, mode: 'stream' })
    const events = await eventsOfRun(run)
    expect((await run.result).error?.code).toBe(reason)
    // The text stays; of the call nothing does.
    expect(only(events, 'turn.retracted')).toMatchObject([{ turn: 1, fromBlock: 1, fromOffset: 0, reason }])
  })

  it('where a run is interrupted: interrupted', async () => {
    const claude = await claudeFor(failed, { faults: [{ kind: 'stall', at: { event: 7 } }] })
    const run = agentOn(claude, { tools: [charge()] }).run({ messages: question, mode: 'stream' })
    const events = await eventsOfRun(run, (event) => {
      if (event.type === 'block.started' && event.kind === 'tool_use') run.interrupt('user')
    })
    expect((await run.result).outcome).toBe('interrupted')
    expect(only(events, 'turn.retracted')).toMatchObject([{ turn: 1, fromBlock: 1, reason: 'interrupted' }])
  })

  it('where a run is interrupted while it waits to ask again: interrupted, whatever had broken before', async () => {
    const claude = await claudeFor(failed, { faults: [{ kind: 'destroy', at: { event: 6 } }] })
    const recovery = { backoff: 60_000 }
    const run = agentOn(claude, { tools: [charge()], recovery }).run({ messages: question, mode: 'stream' })
    const events = await eventsOfRun(run, ({ type }) => {
      if (type === 'fallback') run.interrupt('user')
    })
    expect((await run.result).outcome).toBe('interrupted')
    expect(only(events, 'fallback')).toMatchObject([{ to: 'stream', reason: 'connection_lost' }])
    expect(only(events, 'turn.retracted')).toMatchObject([{ fromBlock: 1, reason: 'interrupted' }])
  })
})
