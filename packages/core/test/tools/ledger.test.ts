import { describe, expect, it } from 'vitest'
import { createToolLedger } from '../../src/index.ts'
import { agentOn, claudeFor, eventsOf, only, question } from '../support/scripted.ts'
import { calls, fail, toolOf } from './running-a-tool.ts'

describe('the ledger', () => {
  const entry = { name: 'charge', toolUseId: 't', idempotencyKey: 'k', outcome: 'ok', readOnly: false } as const

  it('gives each entry once, in order, by name and equal input however it is written', () => {
    const ledger = createToolLedger()
    ledger.record({ ...entry, input: { a: 1, b: { c: [1, { d: 2, e: 3 }] } }, result: 'first' })
    ledger.record({ ...entry, input: { b: { c: [1, { e: 3, d: 2 }] }, a: 1 }, result: 'second' })
    ledger.record({ ...entry, input: { a: 2 }, result: 'other' })
    const same = { b: { c: [1, { d: 2, e: 3 }] }, a: 1 }
    expect(ledger.take('look_up', same)).toBeUndefined()
    expect(ledger.take('charge', { a: 1 })).toBeUndefined()
    expect(ledger.take('charge', { b: { c: [{ d: 2, e: 3 }, 1] }, a: 1 })).toBeUndefined()
    expect(ledger.take('charge', same)?.result).toBe('first')
    expect(ledger.take('charge', same)?.result).toBe('second')
    expect(ledger.take('charge', same)).toBeUndefined()
    expect(ledger.take('charge', { a: 2 })?.result).toBe('other')
    expect(ledger.entries).toHaveLength(3)
  })

  it('gives an entry of unknown outcome again, once no other is left', () => {
    const ledger = createToolLedger()
    ledger.record({ ...entry, input: {}, outcome: 'unknown', result: 'first' })
    ledger.record({ ...entry, input: {}, result: 'second' })
    ledger.record({ ...entry, input: { a: 1 }, outcome: 'timeout', result: 'stopped' })
    expect(ledger.take('charge', {})?.result).toBe('first')
    expect(ledger.take('charge', {})?.result).toBe('second')
    expect(ledger.take('charge', {})?.result).toBe('first')
    expect(ledger.take('charge', {})?.result).toBe('first')
    expect(ledger.take('charge', { a: 1 })?.result).toBe('stopped')
    expect(ledger.take('charge', { a: 1 })).toBeUndefined()
  })

  it('never gives a call that was only read', () => {
    const ledger = createToolLedger()
    ledger.record({ ...entry, readOnly: true, input: {}, result: 'x' })
    expect(ledger.take('charge', {})).toBeUndefined()
  })

  it('is filled by a run', async () => {
    const ledger = createToolLedger()
    const claude = await claudeFor(calls('toolu_1', 'toolu_2'))
    const tool = toolOf({ run: (_input, { toolUseId }) => (toolUseId === 'toolu_1' ? { n: 1 } : fail(new Error('x'))) })
    await agentOn(claude, { tools: [tool] }).run({ messages: question, ledger }).result
    // In the order in which they ended.
    expect(ledger.entries.toSorted((a, b) => (a.toolUseId < b.toolUseId ? -1 : 1))).toMatchObject([
      { name: 'act', toolUseId: 'toolu_1', outcome: 'ok', result: '{"n":1}', output: { n: 1 } },
      { name: 'act', toolUseId: 'toolu_2', outcome: 'error', result: 'x', error: new Error('x') },
    ])
  })
  it('that fails is reported, and the call has its end all the same', async () => {
    const codes: string[] = []
    const claude = await claudeFor(calls('toolu_1'))
    const agent = agentOn(claude, {
      tools: [toolOf({ run: () => 'ok' })],
      onWarning: ({ code }) => void codes.push(code),
    })
    const ledger = { record: () => fail(new Error('full')), take: () => undefined, entries: [] }
    const run = agent.run({ messages: question, ledger })
    const events = await eventsOf(run)
    expect(only(events, 'tool.finished')).toMatchObject([{ outcome: 'ok', result: 'ok' }])
    expect((await run.result).outcome).toBe('completed')
    expect(codes).toEqual(['callback_failed'])
  })
})
