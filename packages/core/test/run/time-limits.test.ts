import { deferred, manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { type AgentEvent, type AgentRun, createAgent, type Limits, type RunResult, type Tool } from '../../src/index.ts'
import { type Exchange, type ManualModel, manualModel, settled } from '../recovery/manual-model.ts'
import { only, question, request } from '../support/scripted.ts'
import { toolOf } from '../tools/running-a-tool.ts'

interface Limited {
  readonly clock: ManualClock
  readonly model: ManualModel
  readonly run: AgentRun
  readonly events: readonly AgentEvent[]
  readonly first: Exchange
}

async function limited(limits: Partial<Limits>, tools: readonly Tool[] = []): Promise<Limited> {
  const mode = tools.length === 0 ? 'stream' : 'buffered'
  const clock = manualClock()
  const model = manualModel()
  const events: AgentEvent[] = []
  const agent = createAgent({ client: model.client, request, limits, tools, runtime: { clock } })
  const callbacks = { onEvent: (event: AgentEvent) => void events.push(event), onRetract: () => {} }
  const run = agent.run({ messages: question, mode, callbacks })
  return { clock, model, run, events, first: await model.exchange(0) }
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  await settled()
  clock.advance(ms)
  await settled()
}

const limits = ['turnTime', 'runTime'] as const

describe.each(limits)('limits.%s', (name) => {
  it('ends the run with what was said, and says which limit it was', async () => {
    const { clock, run, events, first } = await limited({ [name]: 5_000 })
    first.begin('Half an')
    await pass(clock, 4_999)
    expect(first.signal.aborted).toBe(false)
    await pass(clock, 1)
    const error = { code: 'time_limit', path: `limits.${name}`, retryable: false }
    expect(await run.result).toMatchObject({ outcome: 'limit', text: 'Half an', error })
    expect(only(events, 'run.finished')).toMatchObject([{ outcome: 'limit', error: { code: 'time_limit' } }])
    expect(first.signal.aborted).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('counts the pauses between attempts', async () => {
    const { clock, run, first, model } = await limited({ [name]: 5_000 })
    first.fail(Object.assign(new Error('overloaded'), { status: 529, headers: { 'retry-after': '20' } }))
    await pass(clock, 5_000)
    expect(await run.result).toMatchObject({ outcome: 'limit', error: { path: `limits.${name}` } })
    expect(model.exchanges).toHaveLength(1)
  })

  it('leaves a run alone that ends in time', async () => {
    const { clock, run, first } = await limited({ [name]: 5_000 })
    first.begin('Done')
    first.finish()
    const result: RunResult = await run.result
    expect(result).toMatchObject({ outcome: 'completed', text: 'Done' })
    expect(result.error).toBeUndefined()
    expect(clock.pending).toBe(0)
  })

  it('does not rename an interrupt', async () => {
    const { clock, run, first } = await limited({ [name]: 5_000 })
    first.begin('Half an')
    await settled()
    run.interrupt()
    await pass(clock, 5_000)
    expect(await run.result).toMatchObject({ outcome: 'interrupted' })
  })
})

describe('a tool that takes long', () => {
  const call = { type: 'tool_use', id: 'toolu_1', name: 'look_up', input: {} }
  const slow = (): { readonly tool: Tool; readonly started: Promise<void> } => {
    const started = deferred()
    const run = (_input: unknown, { signal }: { readonly signal: AbortSignal }): Promise<string> => {
      started.resolve()
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve('stopped'), { once: true }))
    }
    return { tool: toolOf({ name: 'look_up', readOnly: true, timeout: 60_000, run }), started: started.promise }
  }

  it('is stopped by limits.runTime', async () => {
    const { tool, started } = slow()
    const { clock, run, first } = await limited({ runTime: 5_000 }, [tool])
    first.answer([call], 'tool_use')
    await started
    await pass(clock, 5_000)
    expect(await run.result).toMatchObject({ outcome: 'limit', error: { path: 'limits.runTime' }, turns: 1 })
  })

  it('does not count as time of its turn', async () => {
    const { tool, started } = slow()
    const { clock, run, first, model } = await limited({ turnTime: 5_000 }, [tool])
    first.answer([call], 'tool_use')
    await started
    await pass(clock, 60_000)
    const second = await model.exchange(1)
    second.answer([{ type: 'text', text: 'Done' }])
    expect(await run.result).toMatchObject({ outcome: 'completed', turns: 2 })
  })
})
