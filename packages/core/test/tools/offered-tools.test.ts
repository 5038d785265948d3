import { text, toolUse } from '@millrace/testing'
import { manualClock } from '@millrace/testing/async'
import { expect, it } from 'vitest'
import { createCircuitBreaker, type Tool } from '../../src/index.ts'
import { agentOn, claudeFor, question } from '../support/scripted.ts'
import { toolOf } from './running-a-tool.ts'

it('a turn is offered the tools that run its calls, in every attempt; what comes later waits for the next turn', async () => {
  const claude = await claudeFor(
    [{ content: [toolUse('act')] }, { content: [text('Done.')] }],
    // Right after the call's start, so that the turn is asked again.
    { faults: [{ kind: 'destroy', at: { event: 2 }, turn: 1, stream: true }] },
  )
  let asked = 0
  const tools = (): readonly Tool[] => {
    asked += 1
    return ['act', 'later'].slice(0, asked).map((name) => toolOf({ name, run: () => 'ok' }))
  }
  const { outcome } = await agentOn(claude, { tools }).run({ messages: question }).result
  expect(outcome).toBe('completed')
  // For the decision, and for each of two turns.
  expect(asked).toBe(3)
  expect(claude.requests.map(({ body }) => body?.tools)).toMatchObject([
    [{ name: 'act' }, { name: 'later' }],
    [{ name: 'act' }, { name: 'later' }],
    [{ name: 'act' }, { name: 'later' }],
  ])
})

it('tools that cannot be had fail the run, and leave the circuit as it was', async () => {
  const claude = await claudeFor([{ content: [text('Done.')] }])
  const clock = manualClock()
  const breaker = createCircuitBreaker({ clock, minimumAttempts: 1, cooldown: 1 })
  breaker.permit()?.failed()
  clock.advance(1)
  for (const lastGood of [0, 1, 2]) {
    let asked = 0
    const tools = (): readonly Tool[] => {
      if (++asked > lastGood) throw new Error('The server of these tools is gone')
      return []
    }
    const agent = agentOn(claude, { tools, recovery: { breaker } })
    const { outcome } = await agent.run({ messages: question, mode: 'stream' }).result
    expect(outcome).toBe(lastGood < 2 ? 'failed' : 'completed')
  }
  expect(breaker.state).toBe('closed')
})
