import { deferred, manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { type AgentRun, createToolLedger, type LedgerEntry, ToolError, type ToolFinished } from '../../src/index.ts'
import { agentOn, claudeFor, eventsOf, only, question } from '../support/scripted.ts'
import { calls, fail, type Plain, toolOf } from './running-a-tool.ts'

const stops = {
  'its time is up': { outcome: 'timeout', why: 'took longer than 30000 ms' },
  'the run is interrupted': { outcome: 'cancelled', why: 'was cancelled' },
  'the signal of the run aborts': { outcome: 'cancelled', why: 'was cancelled' },
  'a middleware aborts the signal that it gave the call': { outcome: 'cancelled', why: 'was cancelled' },
} as const

type Stop = keyof typeof stops

interface Stopped {
  readonly end: ToolFinished | undefined
  readonly entry: LedgerEntry | undefined
  /** What `reconcile` was asked about. */
  readonly asked: readonly string[]
  /** What the model is told, or would be in the next run. */
  readonly told: unknown
}

/** A call that has its effect at once, is stopped while it waits for the answer, and does then what `body` does. */
async function stopACall(
  stop: Stop,
  body: (signal: AbortSignal) => unknown,
  options: Partial<Plain> = {},
): Promise<Stopped> {
  const clock = manualClock()
  const started = deferred()
  const asked: string[] = []
  const own = new AbortController()
  const caller = new AbortController()
  const { reconcile, ...rest } = options
  const tool = toolOf({
    timeout: 30_000,
    ...rest,
    ...(reconcile !== undefined && {
      reconcile(input, context) {
        asked.push(context.idempotencyKey)
        return reconcile(input, context)
      },
    }),
    run(_input, { signal }) {
      started.resolve()
      return body(signal)
    },
  })
  const ledger = createToolLedger()
  const agent = agentOn(await claudeFor(calls('toolu_1')), {
    tools: [tool],
    runtime: { clock },
    use: [
      {
        name: 'own signal',
        tool: (call, next) => next(stop.startsWith('a middleware') ? { ...call, signal: own.signal } : call),
      },
    ],
  })
  const run: AgentRun = agent.run({ messages: question, ledger, runId: 'run-1', signal: caller.signal })
  const collected = eventsOf(run)
  await started.promise
  if (stop === 'its time is up') clock.advance(30_000)
  else if (stop === 'the run is interrupted') run.interrupt()
  else if (stop === 'the signal of the run aborts') caller.abort()
  else own.abort()
  const [end] = only(await collected, 'tool.finished')
  expect(clock.pending).toBe(0)
  const { newMessages } = await run.result
  return { end, entry: ledger.entries[0], asked, told: newMessages[1]?.content }
}

/** Waits for its service, and gives up with the signal as `fetch` does. */
function untilAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

const obedient: Readonly<Record<string, (signal: AbortSignal) => unknown>> = {
  'rejects with its reason': untilAbort,
  'throws an error of its own': (signal) => untilAbort(signal).catch(() => fail(new Error('the payment was aborted'))),
  'throws a ToolError that states no outcome': (signal) =>
    untilAbort(signal).catch(() => fail(new ToolError('stopped'))),
  async *'is a generator'(signal) {
    yield { message: 'paying' }
    await untilAbort(signal)
  },
}

describe.each(Object.entries(stops))('a call that has started and stops when %s', (name, { outcome, why }) => {
  const stop = Object.keys(stops).find((each): each is Stop => each === name) ?? fail(new Error(name))
  const unknown = { outcome: 'unknown', result: `The call ${why}: it is unknown whether it took effect` }

  it.each(Object.entries(obedient))('has an unknown outcome, where it %s', async (_how, body) => {
    const { end, entry, told } = await stopACall(stop, body)
    expect(end).toMatchObject(unknown)
    expect(entry).toMatchObject(unknown)
    expect(told).toEqual([{ type: 'tool_result', tool_use_id: 'toolu_1', content: unknown.result, is_error: true }])
  })

  it.each<[string, Plain['reconcile'], object]>([
    ['that it happened', () => ({ happened: true, result: 'paid' }), { outcome: 'ok', result: 'paid' }],
    ['that it did not', () => ({ happened: false }), { outcome, result: `The call ${why}, and it took no effect` }],
    ['that it cannot tell', () => undefined, unknown],
    ['nothing and throws', () => fail(new Error('x')), unknown],
  ])('is asked to reconcile, once, and says %s', async (_what, reconcile, expected) => {
    const { end, entry, asked } = await stopACall(stop, untilAbort, { ...(reconcile !== undefined && { reconcile }) })
    expect(end).toMatchObject(expected)
    expect(entry).toMatchObject(expected)
    expect(asked).toEqual(['run-1:toolu_1'])
  })

  it('is believed where it knows that its effect is known', async () => {
    const known = (signal: AbortSignal): Promise<never> =>
      untilAbort(signal).catch(() => fail(new ToolError('The payment was taken back', { outcome: 'error' })))
    const { end, asked } = await stopACall(stop, known, { reconcile: () => ({ happened: true, result: 'paid' }) })
    expect(end).toMatchObject({ outcome, result: 'The payment was taken back' })
    expect(asked).toEqual([])
  })

  it('has no effect that could be unknown, where it is read-only', async () => {
    const { end, asked } = await stopACall(stop, untilAbort, { readOnly: true, reconcile: () => undefined })
    expect(end).toMatchObject({ outcome, result: `The call ${why}` })
    expect(asked).toEqual([])
  })

  it('is as unknown where it is idempotent: the model would call again with another key', async () => {
    const { end } = await stopACall(stop, untilAbort, { idempotent: true })
    expect(end).toMatchObject(unknown)
  })

  it('gives the result that it returns all the same', async () => {
    const { end } = await stopACall(stop, (signal) => untilAbort(signal).catch(() => 'paid at the last moment'))
    expect(end).toMatchObject({ outcome: 'ok', result: 'paid at the last moment' })
  })
})

it('a call that throws by itself is an error, though the run is interrupted before its end is told', async () => {
  const run: { current?: AgentRun } = {}
  const tool = toolOf({ run: () => fail(new Error('out of stock')) })
  const agent = agentOn(await claudeFor(calls('toolu_1')), {
    tools: [tool],
    use: [
      {
        name: 'interrupts',
        async tool(call, next) {
          const end = await next(call)
          run.current?.interrupt()
          return end
        },
      },
    ],
  })
  run.current = agent.run({ messages: question })
  expect(only(await eventsOf(run.current), 'tool.finished')).toMatchObject([
    { outcome: 'error', result: 'out of stock' },
  ])
})
