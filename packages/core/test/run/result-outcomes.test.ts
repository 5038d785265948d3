import { text, toolUse } from '@millrace/testing'
import { deferred, manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import {
  type AgentCallbacks,
  type AgentRun,
  createAgent,
  type RunInput,
  ToolError,
  type ToolOutcome,
} from '../../src/index.ts'
import { calls, fail, type Plain, toolOf } from '../tools/running-a-tool.ts'
import { agentOn, claudeFor, clientOf, eventsOf, only, question, request } from '../support/scripted.ts'

/** What `onToolResult` was told: of which call, what, and how it ended. */
type Told = readonly [toolUseId: string | undefined, result: unknown, outcome: ToolOutcome]

function listening(told: Told[]): AgentCallbacks {
  return {
    onToolResult: (_name, _input, result, { toolUseId, outcome, turn, runId }) => {
      expect([turn, runId]).toEqual([1, 'run-1'])
      told.push([toolUseId, result, outcome])
    },
  }
}

const untilAbort = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true }),
  )

describe('onToolResult says how the call ended', () => {
  const stopped = 'The call took longer than 7000 ms: it is unknown whether it took effect'
  const ends: readonly (readonly [ToolOutcome, Plain['run'], passing: number, result: unknown])[] = [
    ['ok', () => 'found', 0, 'found'],
    ['error', () => fail(new Error('out of order')), 0, 'out of order'],
    ['unknown', (_input, { signal }) => untilAbort(signal), 7_000, stopped],
    ['unknown', () => fail(new ToolError('sent, not answered', { outcome: 'unknown' })), 0, 'sent, not answered'],
    ['unknown', () => new Promise(() => {}), 8_000, stopped],
  ]

  it.each(ends)('%s', async (outcome, run, passing, result) => {
    const clock = manualClock()
    const claude = await claudeFor(calls('toolu_1'))
    const started = deferred()
    const tool = toolOf({
      timeout: 7_000,
      run(input, context) {
        started.resolve()
        return run(input, context)
      },
    })
    const told: Told[] = []
    const agent = agentOn(claude, { tools: [tool], runtime: { clock } })
    const ended = agent.run({ messages: question, runId: 'run-1', callbacks: listening(told) }).result
    await started.promise
    clock.advance(passing)
    expect((await ended).outcome).toBe('completed')
    expect(told).toEqual([['toolu_1', result, outcome]])
  })

  it('cancelled, of a call that an interrupt stopped and of one that it came before', async () => {
    const claude = await claudeFor(calls('toolu_1', 'toolu_2'))
    const told: Told[] = []
    const tool = toolOf({
      readOnly: true,
      run(_input, { signal }) {
        const stopped = untilAbort(signal)
        run.interrupt('user')
        return stopped
      },
    })
    const input: RunInput = { messages: question, runId: 'run-1', callbacks: listening(told) }
    const run: AgentRun = agentOn(claude, { tools: [tool], limits: { parallelTools: 1 } }).run(input)
    expect((await run.result).outcome).toBe('interrupted')
    expect(told).toEqual([
      ['toolu_1', 'The call was cancelled', 'cancelled'],
      ['toolu_2', 'The call was not run: the run was interrupted', 'cancelled'],
    ])
  })

  it('cancelled, of a call that the end of its turn left behind', async () => {
    const script = [{ content: [toolUse('act', { id: 1 }, { id: 'toolu_1' })], stopReason: 'max_tokens' }]
    const claude = await claudeFor(script)
    const told: Told[] = []
    const agent = agentOn(claude, { tools: [toolOf({ run: () => 'never' })] })
    await agent.run({ messages: question, runId: 'run-1', callbacks: listening(told) }).result
    expect(told).toEqual([['toolu_1', expect.stringContaining('max_tokens'), 'cancelled']])
  })
})

it('onToolResult is not told of a call that was started early and discarded', async () => {
  const claude = await claudeFor(
    [{ content: [toolUse('act'), text('More words, after the call.')] }, { content: [text('Done.')] }],
    // Right after the call: one without arguments looks like one that was cut, so that it cannot be kept.
    { faults: [{ kind: 'destroy', at: { event: 5 }, stream: true }] },
  )
  const told: Told[] = []
  let starts = 0
  const tool = toolOf({
    readOnly: true,
    run: (_input, { signal }) => (++starts === 1 ? untilAbort(signal) : 'found'),
  })
  const agent = createAgent({
    client: clientOf(claude),
    request,
    tools: [tool],
    eagerTools: true,
    recovery: { backoff: 0 },
  })
  const run = agent.run({ messages: question, runId: 'run-1', mode: 'stream', callbacks: listening(told) })
  const finished = only(await eventsOf(run), 'tool.finished')
  expect(finished.map(({ outcome }) => outcome)).toEqual(['discarded', 'ok'])
  expect(told).toEqual([[finished[1]?.toolUseId, 'found', 'ok']])
})
