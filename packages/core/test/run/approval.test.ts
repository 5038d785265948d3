import { text, toolUse, validateMessages } from '@millrace/testing'
import { deferred, manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import {
  type AgentOptions,
  type AgentRun,
  createAgent,
  type Middleware,
  type MillraceError,
  type ToolCallEnd,
} from '../../src/index.ts'
import { settled } from '../recovery/manual-model.ts'
import { agentOn, claudeFor, clientOf, eventsOf, only, question, request } from '../support/scripted.ts'
import { calls, fail, toolOf } from '../tools/running-a-tool.ts'

const grace = 5_000

interface Waiting {
  readonly run: AgentRun
  readonly clock: ManualClock
  readonly warnings: readonly MillraceError[]
  /** The calls whose tool ran. */
  readonly ran: readonly string[]
  /** Lets every call that is waited for go on to its tool. */
  readonly approve: () => void
  /** What the approvals were given by `next`, where they came to it. */
  readonly given: readonly ToolCallEnd[]
}

/** A run whose calls wait for somebody's approval. */
async function askForApproval(
  ids: readonly string[] = ['toolu_1'],
  options: Partial<AgentOptions> = {},
): Promise<Waiting> {
  const clock = manualClock()
  const approval = deferred()
  const allAsked = deferred()
  const warnings: MillraceError[] = []
  const ran: string[] = []
  const given: ToolCallEnd[] = []
  let asked = 0
  const approve: Middleware = {
    name: 'approval',
    async tool(call, next) {
      asked += 1
      if (asked === ids.length) allAsked.resolve()
      await approval.promise
      const end = await next(call)
      given.push(end)
      return end
    },
  }
  const tool = toolOf({ run: (_input, { toolUseId }) => ran.push(toolUseId) })
  const claude = await claudeFor(calls(...ids))
  const run = agentOn(claude, {
    tools: [tool],
    use: [approve],
    limits: { middlewareGrace: grace, toolTimeout: 10_000, interruptGrace: 2_000 },
    runtime: { clock },
    onWarning: (warning) => void warnings.push(warning),
    ...options,
  }).run({ messages: question })
  await allAsked.promise
  return { run, clock, warnings, ran, approve: approval.resolve, given }
}

describe('an approval of a call', () => {
  it('may take longer than any limit: the time of the tool begins when it starts', async () => {
    const { run, clock, warnings, ran, approve } = await askForApproval()
    clock.advance(7 * 24 * 3_600_000)
    await settled()
    expect(ran).toEqual([])
    approve()
    expect((await run.result).outcome).toBe('completed')
    expect(ran).toEqual(['toolu_1'])
    expect(warnings).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it.each([1, 3])('that never comes does not hold an interrupted run, with %i calls waiting', async (count) => {
    const ids = Array.from({ length: count }, (_, index) => `toolu_${index}`)
    const { run, clock, warnings, ran, approve, given } = await askForApproval(ids)
    clock.advance(3_600_000)
    run.interrupt('user')
    await clock.timer(grace)
    clock.advance(grace - 1)
    await settled()
    expect(warnings).toEqual([])
    clock.advance(1)
    const events = await eventsOf(run)
    const result = await run.result
    expect(result.outcome).toBe('interrupted')
    expect(only(events, 'tool.finished')).toMatchObject(
      ids.map((toolUseId) => ({ toolUseId, outcome: 'cancelled', result: expect.stringMatching(/took no effect$/) })),
    )
    expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }])).toBeUndefined()
    expect(warnings.map(({ code }) => code)).toEqual(ids.map(() => 'middleware_failed'))
    expect(clock.pending).toBe(0)

    // It comes after all: nobody waits for it, and nothing starts.
    approve()
    await settled()
    expect(given.map(({ outcome }) => outcome)).toEqual(ids.map(() => 'cancelled'))
    expect(ran).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('that comes after an interrupt, while the run still waits, starts no tool', async () => {
    const { run, clock, warnings, ran, approve } = await askForApproval(['toolu_1', 'toolu_2'])
    run.interrupt('user')
    await settled()
    approve()
    const events = await eventsOf(run)
    expect(only(events, 'tool.finished').map(({ outcome }) => outcome)).toEqual(['cancelled', 'cancelled'])
    expect(only(events, 'run.finished')).toMatchObject([{ outcome: 'interrupted' }])
    expect(ran).toEqual([])
    expect(warnings).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('that was refused is told to the model, and the run goes on', async () => {
    const refuse: Middleware = { name: 'no', tool: () => Promise.resolve({ outcome: 'error', result: 'Not allowed' }) }
    const claude = await claudeFor(calls('toolu_1'))
    const agent = agentOn(claude, { tools: [toolOf({ run: () => fail(new Error('ran')) })], use: [refuse] })
    const { newMessages, outcome } = await agent.run({ messages: question }).result
    expect(outcome).toBe('completed')
    expect(newMessages[1]?.content).toMatchObject([{ content: 'Not allowed', is_error: true }])
  })

  it('of a call that was started early and is then discarded is not waited for', async () => {
    const claude = await claudeFor(
      [{ content: [toolUse('act'), text('More words, after the call.')] }, { content: [text('Done.')] }],
      { faults: [{ kind: 'destroy', at: { event: 5 }, stream: true }] },
    )
    const clock = manualClock()
    const signals: AbortSignal[] = []
    const ran: string[] = []
    const hangOnce: Middleware = {
      name: 'approval',
      tool: (call, next) => (signals.push(call.signal) === 1 ? new Promise(() => {}) : next(call)),
    }
    const agent = createAgent({
      client: clientOf(claude),
      request,
      tools: [toolOf({ readOnly: true, run: (_input, { toolUseId }) => ran.push(toolUseId) })],
      use: [hangOnce],
      eagerTools: true,
      limits: { middlewareGrace: grace },
      recovery: { backoff: 0 },
      runtime: { clock },
    })
    const run = agent.run({ messages: question, mode: 'stream' })
    const finished = only(await eventsOf(run), 'tool.finished')
    expect(finished.map(({ outcome }) => outcome)).toEqual(['discarded', 'ok'])
    expect((await run.result).outcome).toBe('completed')
    clock.advance(grace)
    await settled()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    expect(ran).toEqual([finished[1]?.toolUseId])
  })
})

describe('a middleware that fails to pass progress on', () => {
  const ways: readonly (readonly [string, () => void])[] = [
    ['throws', () => fail(new Error('mine'))],
    // What a promise rejects with is nobody's, unless the middleware looks at it itself.
    ['throws what is no error', () => Reflect.apply(String.prototype.repeat, 'x', [-1])],
  ]

  it.each(ways)('and %s is reported, and the call goes on', async (_how, progress) => {
    const warnings: MillraceError[] = []
    const claude = await claudeFor(calls('toolu_1'))
    const broken: Middleware = { name: 'broken', tool: (call, next) => next({ ...call, progress }) }
    const tool = toolOf({
      run(_input, context) {
        context.progress({ progress: 1 })
        context.progress({ progress: 2 })
        return 'there'
      },
    })
    const agent = agentOn(claude, { tools: [tool], use: [broken], onWarning: (warning) => void warnings.push(warning) })
    const run = agent.run({ messages: question })
    const events = await eventsOf(run)
    expect(only(events, 'tool.finished')).toMatchObject([{ outcome: 'ok', result: 'there' }])
    expect(only(events, 'tool.progress')).toEqual([])
    expect((await run.result).outcome).toBe('completed')
    expect(warnings).toMatchObject([
      { code: 'middleware_failed', message: 'A middleware failed to pass progress on' },
      { code: 'middleware_failed', message: 'A middleware failed to pass progress on' },
    ])
  })

  it('is reported where a generator yields it, and the generator goes on', async () => {
    const warnings: MillraceError[] = []
    const claude = await claudeFor(calls('toolu_1'))
    const broken: Middleware = {
      name: 'broken',
      tool: (call, next) => next({ ...call, progress: () => fail(new Error('mine')) }),
    }
    const tool = toolOf({
      async *run() {
        await Promise.resolve()
        yield { progress: 1 }
        return 'there'
      },
    })
    const agent = agentOn(claude, { tools: [tool], use: [broken], onWarning: (warning) => void warnings.push(warning) })
    const events = await eventsOf(agent.run({ messages: question }))
    expect(only(events, 'tool.finished')).toMatchObject([{ outcome: 'ok', result: 'there' }])
    expect(warnings).toMatchObject([{ code: 'middleware_failed' }])
  })
})
