import { validateMessages } from '@millrace/testing'
import { deferred, manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { type AgentRun, defineTool, type InputResult } from '../../src/index.ts'
import { agentOn, claudeFor, eventsOf, only, question } from '../support/scripted.ts'
import { settled } from '../recovery/manual-model.ts'
import { calls } from './running-a-tool.ts'

interface Hanging {
  readonly run: AgentRun
  readonly clock: ManualClock
  /** Resolves when the validator was asked. */
  readonly asked: Promise<void>
  readonly answer: (result: InputResult<unknown> | Promise<never>) => void
  readonly ran: readonly unknown[]
  /** How often `reconcile` was asked: never, since nothing had started. */
  readonly reconciled: readonly unknown[]
}

/** A run whose one call waits for its validator. */
async function hang(): Promise<Hanging> {
  const clock = manualClock()
  const asked = deferred()
  const { promise, resolve, reject } = deferred<InputResult<unknown>>()
  const ran: unknown[] = []
  const reconciled: unknown[] = []
  const tool = defineTool({
    name: 'act',
    description: '',
    timeout: 30_000,
    inputSchema: {
      jsonSchema: { type: 'object' },
      validate() {
        asked.resolve()
        return promise
      },
    },
    reconcile: (input) => void reconciled.push(input),
    run: (input) => ran.push(input),
  })
  const claude = await claudeFor(calls('toolu_1'))
  const limits = { toolAbortGrace: 1_000, interruptGrace: 2_000 }
  const run = agentOn(claude, { tools: [tool], runtime: { clock }, limits }).run({ messages: question })
  await asked.promise
  return {
    run,
    clock,
    asked: asked.promise,
    answer: (given) => void Promise.resolve(given).then(resolve, reject),
    ran,
    reconciled,
  }
}

/** What the validator may still come to, when nobody waits for it any more. */
const late: readonly (readonly [string, () => InputResult<unknown> | Promise<never> | undefined])[] = [
  ['never answers', () => undefined],
  ['accepts the input too late', () => ({ value: { id: 'toolu_1' } })],
  ['refuses it too late', () => ({ issues: [{ message: 'no' }] })],
  ['rejects too late', () => Promise.reject(new Error('the validator failed'))],
]

describe.each(late)('a validator that hangs and %s', (_how, answerLate) => {
  it('is ended by the time of its call, which took no effect', async () => {
    const { run, clock, answer, ran, reconciled } = await hang()
    clock.advance(30_000)
    await clock.timer(1_000)
    clock.advance(1_000)
    const events = await eventsOf(run)
    const result = await run.result
    const given = answerLate()
    if (given !== undefined) answer(given)
    await settled()
    expect(only(events, 'tool.finished')).toMatchObject([
      { outcome: 'timeout', result: 'The call took longer than 30000 ms, and it took no effect', durationMs: 31_000 },
    ])
    expect(result.outcome).toBe('completed')
    expect([...ran, ...reconciled]).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('is ended by an interrupt', async () => {
    const { run, clock, answer, ran, reconciled } = await hang()
    run.interrupt('user')
    await clock.timer(2_000)
    clock.advance(2_000)
    const events = await eventsOf(run)
    const result = await run.result
    const given = answerLate()
    if (given !== undefined) answer(given)
    await settled()
    expect(only(events, 'tool.finished')).toMatchObject([
      { outcome: 'cancelled', result: 'The call was cancelled, and it took no effect' },
    ])
    expect(result.outcome).toBe('interrupted')
    expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }])).toBeUndefined()
    expect([...ran, ...reconciled]).toEqual([])
    expect(clock.pending).toBe(0)
  })
})

describe('a validator that accepts the input', () => {
  it.each([
    ['after the time was up', 'timeout'],
    ['after an interrupt', 'cancelled'],
  ] as const)('%s, while it is still waited for, starts nothing', async (_when, outcome) => {
    const { run, clock, answer, ran } = await hang()
    if (outcome === 'timeout') clock.advance(30_000)
    else run.interrupt()
    answer({ value: {} })
    const events = await eventsOf(run)
    expect(only(events, 'tool.finished')).toMatchObject([{ outcome, result: expect.stringMatching(/took no effect$/) }])
    expect(ran).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('at the last moment is in time', async () => {
    const { run, clock, answer, ran } = await hang()
    clock.advance(29_999)
    answer({ value: { id: 'x' } })
    const events = await eventsOf(run)
    expect(only(events, 'tool.finished')).toMatchObject([{ outcome: 'ok' }])
    expect(ran).toEqual([{ id: 'x' }])
  })
})
