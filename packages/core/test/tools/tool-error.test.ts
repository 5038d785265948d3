import { deferred, manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import {
  type AgentRun,
  createToolLedger,
  type Reconciliation,
  type RunResult,
  ToolError,
  type ToolLedger,
} from '../../src/index.ts'
import { agentOn, claudeFor, eventsOf, only, question } from '../support/scripted.ts'
import { calls, fail, type Plain, toolOf, untyped } from './running-a-tool.ts'

const words = 'The bank did not answer: look at the account before you pay again'
const unsure = (): never => fail(new ToolError(words, { outcome: 'unknown', cause: new Error('ETIMEDOUT') }))

/** How the call comes to its throw. */
type When = 'by itself' | 'when its time was up' | 'when it was interrupted'

interface Thrown {
  readonly end: unknown
  readonly result: RunResult
  readonly ledger: ToolLedger
  readonly asked: readonly unknown[]
}

/** A call that throws such an error, and what came of it. */
async function throwUnsure(
  when: When,
  reconcile?: () => Reconciliation | Promise<Reconciliation>,
  waitFor: (clock: ManualClock) => Promise<void> = () => Promise.resolve(),
): Promise<Thrown> {
  const clock = manualClock()
  const started = deferred()
  const asked: unknown[] = []
  const options: Partial<Plain> = {
    timeout: 30_000,
    ...(reconcile !== undefined && {
      reconcile(input, { toolUseId }) {
        asked.push([input, toolUseId])
        return reconcile()
      },
    }),
  }
  const tool = toolOf({
    ...options,
    run(_input, { signal }) {
      started.resolve()
      if (when === 'by itself') return unsure()
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })).then(
        unsure,
      )
    },
  })
  const ledger = createToolLedger()
  const claude = await claudeFor(calls('toolu_1'))
  const run: AgentRun = agentOn(claude, { tools: [tool], runtime: { clock } }).run({ messages: question, ledger })
  await started.promise
  if (when === 'when its time was up') clock.advance(30_000)
  if (when === 'when it was interrupted') run.interrupt('user')
  await waitFor(clock)
  const [end] = only(await eventsOf(run), 'tool.finished')
  expect(clock.pending).toBe(0)
  return { end, result: await run.result, ledger, asked }
}

describe.each<[When, without: object]>([
  ['by itself', { outcome: 'error', result: 'The call failed, and it took no effect' }],
  ['when its time was up', { outcome: 'timeout', result: 'The call took longer than 30000 ms, and it took no effect' }],
  ['when it was interrupted', { outcome: 'cancelled', result: 'The call was cancelled, and it took no effect' }],
])('a tool that cannot tell whether it took effect, and says so %s', (when, tookNoEffect) => {
  const told = { outcome: 'unknown', result: words }

  it('has an unknown outcome, the model is told its words, and the ledger knows', async () => {
    const { end, result, ledger } = await throwUnsure(when)
    expect(end).toMatchObject(told)
    expect(result.outcome).toBe(when === 'when it was interrupted' ? 'interrupted' : 'completed')
    expect(result.newMessages[1]?.content).toEqual([
      { type: 'tool_result', tool_use_id: 'toolu_1', content: words, is_error: true },
    ])
    expect(ledger.entries).toMatchObject([{ toolUseId: 'toolu_1', outcome: 'unknown', result: words }])
    expect(ledger.entries[0]?.error).toMatchObject({ name: 'ToolError', outcome: 'unknown' })
  })

  it.each<[string, () => Reconciliation | Promise<Reconciliation>, object]>([
    ['that it happened', () => ({ happened: true, result: { paid: 5 } }), { outcome: 'ok', result: '{"paid":5}' }],
    ['that it did not', () => Promise.resolve({ happened: false }), tookNoEffect],
    ['that it cannot tell', () => undefined, told],
    ['nonsense', untyped(() => 'yes'), told],
    ['nothing and throws', () => fail(new Error('x')), told],
    ['nothing and rejects', () => Promise.reject(new Error('x')), told],
  ])('is asked to reconcile, once, and says %s', async (_what, reconcile, expected) => {
    const { end, ledger, asked } = await throwUnsure(when, reconcile)
    expect(end).toMatchObject(expected)
    expect(ledger.entries).toMatchObject([expected])
    expect(asked).toEqual([[{ id: 'toolu_1' }, 'toolu_1']])
  })

  it('is asked to reconcile, and hangs: its outcome stays unknown', async () => {
    const wasAsked = deferred()
    const hang = (): Promise<never> => {
      wasAsked.resolve()
      return new Promise(() => {})
    }
    const { end } = await throwUnsure(when, hang, async (clock) => {
      await wasAsked.promise
      clock.advance(1_000)
    })
    expect(end).toMatchObject(told)
  })
})

it('a tool that throws any other error is not asked to reconcile', async () => {
  const asked: unknown[] = []
  const claude = await claudeFor(calls('toolu_1', 'toolu_2'))
  const tool = toolOf({
    reconcile: (input) => void asked.push(input),
    run: (_input, { toolUseId }) =>
      fail(toolUseId === 'toolu_1' ? new Error('x') : new ToolError('x', { outcome: 'error' })),
  })
  const events = await eventsOf(agentOn(claude, { tools: [tool] }).run({ messages: question }))
  expect(only(events, 'tool.finished').map(({ outcome }) => outcome)).toEqual(['error', 'error'])
  expect(asked).toEqual([])
})
