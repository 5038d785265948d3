import { AsyncLocalStorage } from 'node:async_hooks'
import { text, toolUse, validateMessages } from '@millrace/testing'
import { deferred, manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import {
  adaptLoop,
  type AgentEvent,
  defineTool,
  type FlagClient,
  type FlagContext,
  type LegacyScope,
  type RunInput,
  type RunResult,
  ToolError,
} from '../../src/index.ts'
import { wrapLegacyTool } from '../../src/adapt/legacy-tool.ts'
import { agentOn, claudeFor, eventsOf, only } from '../support/scripted.ts'
import { legacyAnswer, noRetry, on, secondTurnBreaks, setUp, type SetupOptions, shown } from './set-up.ts'

describe('with the flag off', () => {
  const off: FlagClient = { getBooleanDetails: () => ({ value: false }) }

  it("the loop gets the caller's very arguments and this, and its very result comes back", async () => {
    const { loop, legacyCalls, claude, events } = await setUp({ adapt: { flags: off } })
    const self = { name: 'the caller' }
    const given = await Reflect.apply(loop, self, ['Charge me'])
    expect(given).toBe(legacyAnswer)
    expect(legacyCalls).toEqual([{ self, args: ['Charge me'] }])
    expect(legacyCalls[0]?.self).toBe(self)
    expect(claude.requests).toEqual([])
    expect(events.map(({ type }) => type)).toEqual([
      'run.started',
      'turn.started',
      'block.started',
      'text.delta',
      'block.finished',
      'turn.finished',
      'run.finished',
    ])
    expect(events[0]).toMatchObject({ decision: { mode: 'legacy', arm: 'control', reason: 'flag' } })
    expect(events[1]).toMatchObject({ mode: 'legacy' })
  })

  it('a run gives one text block, and its result', async () => {
    const { loop } = await setUp({ adapt: { flags: off } })
    const run = loop.run('Charge me')
    const events = await eventsOf(run)
    expect(shown(events)).toBe('The old way.')
    expect(await run.result).toMatchObject({ outcome: 'completed', text: 'The old way.' })
  })

  it('what it throws comes through as it is', async () => {
    const error = new TypeError("the loop's own")
    const { loop, events } = await setUp({ adapt: { flags: off }, legacy: () => Promise.reject(error) })
    await expect(loop('x')).rejects.toBe(error)
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'failed', error: { code: 'legacy_failed' } })
    expect(JSON.stringify(events)).not.toContain("the loop's own")
  })
})

describe('who streams', () => {
  const flag = (value: boolean, kill = false): FlagClient => ({
    getBooleanDetails: (key, fallback) => ({
      value: key === 'use_streaming' ? value : key === 'use_streaming.kill' ? kill : fallback,
    }),
  })
  it.each<[string, Readonly<Record<string, unknown>>, string, string]>([
    ['nobody without flags', { flags: undefined }, 'legacy', 'no_flags'],
    ['who asks for it, without flags', { flags: undefined, useStreaming: () => true }, 'stream', 'explicit'],
    ['whom the flag lets', { flags: flag(true) }, 'stream', 'flag'],
    ['who asks, whatever the flag says', { flags: flag(false), useStreaming: () => true }, 'stream', 'explicit'],
    ['not who asks not to', { flags: flag(true), useStreaming: () => false }, 'legacy', 'explicit'],
    ['nobody when it is killed', { flags: flag(true, true), useStreaming: () => true }, 'legacy', 'killed'],
    [
      'nobody where the source throws',
      {
        flags: {
          getBooleanDetails: () => {
            throw new Error('x')
          },
        },
      },
      'legacy',
      'flag_error',
    ],
    [
      'nobody where the source rejects',
      { flags: { getBooleanDetails: () => Promise.reject(new Error('x')) } },
      'legacy',
      'flag_error',
    ],
    [
      'nobody where the context throws',
      {
        context: () => {
          throw new Error('x')
        },
      },
      'legacy',
      'flag_error',
    ],
  ])('%s', async (_who, adapt, mode, reason) => {
    const { loop, events } = await setUp({ adapt: Object.fromEntries(Object.entries(adapt)) })
    await loop('x')
    expect(only(events, 'run.started')).toMatchObject([{ decision: { mode, reason } }])
  })

  it('nobody where the source does not answer in time', async () => {
    const clock = manualClock()
    const flags: FlagClient = { getBooleanDetails: () => new Promise(() => {}) }
    const { loop, events } = await setUp({ adapt: { flags, flagDeadline: 40, runtime: { clock } } })
    const answer = loop('x')
    await clock.timer(40)
    clock.advance(40)
    expect(await answer).toBe(legacyAnswer)
    expect(only(events, 'run.started')).toMatchObject([{ decision: { mode: 'legacy', reason: 'flag_timeout' } }])
    expect(clock.pending).toBe(0)
  })

  it('goes on without, from the next turn, where it is killed meanwhile', async () => {
    let killed = false
    const flags: FlagClient = {
      getBooleanDetails: (key) => ({ value: key === 'use_streaming.kill' ? killed : true }),
    }
    const setup = await setUp({ adapt: { flags, onEvent: ({ type }) => (killed ||= type === 'tool.started') } })
    const events = await eventsOf(setup.loop.run('x'))
    expect(only(events, 'turn.started').map(({ mode }) => mode)).toEqual(['stream', 'buffered'])
    expect(only(events, 'fallback')).toMatchObject([{ from: 'stream', to: 'buffered', reason: 'killed' }])
  })

  it.each<[string, SetupOptions, FlagContext]>([
    [
      'its context',
      { adapt: { context: () => ({ targetingKey: 'ada' }) }, input: { user: 'bea' } },
      { targetingKey: 'ada' },
    ],
    ['the user of its input, where there is no context', { input: { user: 'bea' } }, { targetingKey: 'bea' }],
    ['nobody, without either', {}, {}],
  ])('the kill switch is asked, while it runs, for %s', async (_whom, options, context) => {
    const asked: unknown[] = []
    let started = false
    const flags: FlagClient = {
      getBooleanDetails(key, _fallback, whom) {
        if (started) asked.push(whom)
        return { value: key !== 'use_streaming.kill' }
      },
    }
    const onEvent = ({ type }: AgentEvent): void => void (started ||= type === 'run.started')
    const { loop } = await setUp({ ...options, adapt: { flags, onEvent, ...options.adapt } })
    await loop('x')
    expect(asked).toEqual([context])
  })
})

describe('a run that breaks after a committed turn', () => {
  it('is handed over with its history, which ends with the results, and nothing is done twice', async () => {
    const { loop, handed, charges, events } = await setUp({ faults: secondTurnBreaks })
    const answer = await loop('Charge me')
    const [given] = handed
    expect(given?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    expect(validateMessages(given?.messages)).toBeUndefined()
    expect(given?.newMessages).toHaveLength(2)
    expect(given?.error).toMatchObject({ code: 'connection_lost' })
    expect(given?.ledger.entries).toMatchObject([{ name: 'charge', outcome: 'ok' }])
    expect(charges).toHaveLength(1)
    expect(answer.text).toBe('The old way.')
    expect(validateMessages([...answer.messages, { role: 'user', content: 'Next' }])).toBeUndefined()
    expect(shown(events)).toBe('I charge you. The old way.')
    expect(only(events, 'fallback')).toMatchObject([{ to: 'legacy', turn: 2, stage: 'after_output' }])
    expect(only(events, 'run.finished')).toMatchObject([{ outcome: 'completed' }])
  })

  it('ends in its error where there is no hand-over', async () => {
    const { loop, legacyCalls, events } = await setUp({ faults: secondTurnBreaks, handover: 'none' })
    await expect(loop('Charge me')).rejects.toMatchObject({ name: 'MillraceError', code: 'connection_lost' })
    expect(legacyCalls).toEqual([])
    expect(only(events, 'run.finished')).toMatchObject([{ outcome: 'failed', error: { code: 'connection_lost' } }])
  })

  it('keeps what it had where the loop that takes over fails as well', async () => {
    const error = new Error("the loop's own")
    const { loop, charges } = await setUp({ faults: secondTurnBreaks, legacy: () => Promise.reject(error) })
    const run = loop.run('Charge me')
    const result = await run.result
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'legacy_failed' } })
    expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }])).toBeUndefined()
    expect(charges).toHaveLength(1)
    await expect(loop('Charge me')).rejects.toBe(error)
  })

  it.each<[string, RunInput['retraction']]>([
    ['may take text back', 'retract'],
    ['has text held back', 'hold'],
    ['cannot take text back', 'continue'],
  ])('for a reader who %s shows exactly what history holds', async (_who, retraction) => {
    const { loop, events } = await setUp({
      faults: secondTurnBreaks,
      input: retraction === undefined ? {} : { retraction },
    })
    const { messages } = await loop('Charge me')
    const said = messages
      .filter(({ role }) => role === 'assistant')
      .flatMap(({ content }) => (typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content))
      .map((block) => (block.type === 'text' ? block.text : ''))
      .join('')
    expect(shown(events)).toBe(said)
    expect(only(events, 'turn.retracted').length > 0).toBe(retraction === 'retract')
  })

  it.each(['hold', 'continue', 'fail'] as const)(
    'does not start over for a reader who was shown text and cannot give it back: %s',
    async (retraction) => {
      const scope = new AsyncLocalStorage<LegacyScope>()
      const { loop, legacyCalls, events } = await setUp({
        faults: secondTurnBreaks,
        handover: 'none',
        input: { retraction },
        adapt: { handover: 'restart', scope },
      })
      await expect(loop('Charge me')).rejects.toMatchObject({ code: 'cannot_retract' })
      expect(legacyCalls).toEqual([])
      expect(only(events, 'turn.retracted')).toEqual([])
    },
  )

  it('is not handed over where a server tool with effects was running', async () => {
    const turns = [
      { content: [{ type: 'mcp_tool_use', id: 'mcptoolu_1', name: 'send', server_name: 's', input: {} }, text('x')] },
    ]
    const { loop, legacyCalls } = await setUp({
      turns,
      faults: [{ kind: 'destroy', at: { event: 6 }, times: 'forever' }],
      agent: { recovery: { backoff: 0 } },
    })
    await expect(loop('x')).rejects.toMatchObject({ code: 'server_tool_outcome_unknown' })
    expect(legacyCalls).toEqual([])
  })

  it('is not handed over at a pause: what paused is left out and withdrawn', async () => {
    const turns = [
      {
        content: [text('I search. '), { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} }],
        stopReason: 'pause_turn',
      },
      { content: [{ type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] }, text('Found.')] },
    ]
    const { loop, handed, legacyCalls, events } = await setUp({
      turns,
      faults: [{ kind: 'status', status: 500, turn: 2, times: 'forever' }],
    })
    await loop('x')
    expect(legacyCalls).toHaveLength(1)
    expect(handed.map(({ messages }) => messages.at(-1)?.role)).not.toContain('assistant')
    expect(shown(events)).toBe('The old way.')
  })
})

describe('what is no reason to hand over', () => {
  it('a refusal', async () => {
    const { loop, legacyCalls } = await setUp({ turns: [{ content: [text('No.')], stopReason: 'refusal' }] })
    expect(await loop.run('x').result).toMatchObject({ outcome: 'refused' })
    expect(legacyCalls).toEqual([])
  })

  it('a limit', async () => {
    const { loop, legacyCalls } = await setUp({ agent: { limits: { turns: 1 } } })
    expect(await loop.run('x').result).toMatchObject({ outcome: 'limit' })
    expect(legacyCalls).toEqual([])
  })

  it.each(['interrupt', 'signal'] as const)('an %s', async (how) => {
    const controller = new AbortController()
    const { loop, legacyCalls } = await setUp({
      faults: [{ kind: 'stall', at: { event: 4 } }],
      input: { signal: controller.signal },
    })
    const run = loop.run('x')
    for await (const { type } of run) {
      if (type !== 'text.delta') continue
      if (how === 'interrupt') run.interrupt()
      else controller.abort()
    }
    expect(await run.result).toMatchObject({ outcome: 'interrupted' })
    expect(legacyCalls).toEqual([])
  })
})

describe('wrapLegacyTool', () => {
  const scope = new AsyncLocalStorage<LegacyScope>()

  interface Restart {
    readonly events: readonly AgentEvent[]
    readonly calls: unknown[]
    readonly measured: unknown[]
    readonly answer: unknown
  }

  /** Runs two charges as a stream, breaks, and starts over with these calls of the wrapped tool. */
  async function restart(
    tool: (input: { cents: number }) => unknown,
    wanted: readonly { cents: number }[],
  ): Promise<Restart> {
    const calls: unknown[] = []
    const measured: unknown[] = []
    const turns = [
      {
        content: [
          toolUse('charge', { cents: 1 }, { id: 'toolu_1' }),
          toolUse('charge', { cents: 1 }, { id: 'toolu_2' }),
        ],
      },
      { content: [text('Never heard.')] },
    ]
    const claude = await claudeFor(turns, { faults: secondTurnBreaks })
    const charge = wrapLegacyTool({
      name: 'charge',
      scope,
      run: (input: { cents: number }) => Promise.resolve(`run ${calls.push(input)}`),
      fromEntry: ({ output }) => `known ${String(output)}`,
      onCall: (call) => measured.push([call.ok, call.reused]),
    })
    let made = 0
    const agentTool = defineTool({
      name: 'charge',
      description: '',
      inputSchema: {
        jsonSchema: { type: 'object' },
        validate: (value: unknown) => ({ value: { cents: Number(Object(value)['cents']) } }),
      },
      run: (input) => (made++, tool(input)),
    })
    const events: AgentEvent[] = []
    const loop = adaptLoop({
      legacy: async (_question: string): Promise<string> => {
        const results: string[] = []
        for (const input of wanted) results.push(await charge(input).catch((error: Error) => `threw ${error.message}`))
        return results.join(', ')
      },
      agent: agentOn(claude, { tools: [agentTool], recovery: noRetry, limits: { parallelTools: 1 } }),
      toInput: (question) => ({ messages: [{ role: 'user', content: question }] }),
      fromResult: ({ text: said }) => said,
      handover: 'restart',
      scope,
      flags: on,
      onEvent: (event) => void events.push(event),
    })
    const answer = await loop('x')
    expect(made).toBe(2)
    return { events, calls, measured, answer }
  }

  it('answers each call that was made once, in order, and then runs', async () => {
    let count = 0
    const { answer, calls, measured, events } = await restart(
      () => ++count,
      [{ cents: 1 }, { cents: 2 }, { cents: 1 }, { cents: 1 }],
    )
    expect(answer).toBe('known 1, run 1, known 2, run 2')
    expect(calls).toEqual([{ cents: 2 }, { cents: 1 }])
    expect(measured).toEqual([
      [true, true],
      [true, false],
      [true, true],
      [true, false],
    ])
    expect(only(events, 'tool.finished').filter(({ reused }) => reused === true)).toMatchObject([
      { toolUseId: 'toolu_1', outcome: 'ok' },
      { toolUseId: 'toolu_2', outcome: 'ok' },
    ])
  })

  it('answers a call that threw with what it threw, and does not make it again', async () => {
    const { answer, calls } = await restart(() => Promise.reject(new Error('no money')), [{ cents: 1 }])
    expect(answer).toBe('threw no money')
    expect(calls).toEqual([])
  })

  it('never makes a call again whose outcome is unknown, however often the loop tries', async () => {
    const stopped = new DOMException('This operation was aborted', 'AbortError')
    const { answer, calls } = await restart(
      () => Promise.reject(new ToolError('no answer', { outcome: 'unknown', cause: stopped })),
      [{ cents: 1 }, { cents: 1 }, { cents: 1 }, { cents: 2 }],
    )
    const refused = 'threw "charge" was called with this input already, and ended as "unknown"'
    expect(answer).toBe([refused, refused, refused, 'run 1'].join(', '))
    expect(calls).toEqual([{ cents: 2 }])
  })

  it('outside of a restart only measures', async () => {
    const measured: unknown[] = []
    const call = wrapLegacyTool({
      name: 'charge',
      scope,
      run: (cents: number) => (cents > 0 ? Promise.resolve(cents) : Promise.reject(new Error('none'))),
      fromEntry: () => 0,
      onCall: ({ name, ok, reused }) => {
        measured.push([name, ok, reused])
        throw new Error('who measures is a bystander')
      },
    })
    expect(await call(5)).toBe(5)
    await expect(call(0)).rejects.toThrow('none')
    expect(measured).toEqual([
      ['charge', true, false],
      ['charge', false, false],
    ])
  })
})

describe('what stands around a run', () => {
  it('an onEvent that throws changes nothing', async () => {
    const { loop, warnings } = await setUp({
      adapt: {
        onEvent: () => {
          throw new Error('x')
        },
      },
    })
    expect((await loop('x')).text).toBe('All of it is done now.')
    expect(warnings.map(({ code }) => code)).toContain('middleware_failed')
  })

  it('a run of which nobody looks at more than its result is no unhandled rejection', async () => {
    const { loop } = await setUp({ faults: secondTurnBreaks, handover: 'none' })
    const result: RunResult = await loop.run('x').result
    expect(result.outcome).toBe('failed')
  })

  it.each<[string, SetupOptions]>([
    ['with the flag off', { adapt: { useStreaming: () => false } }],
    ['with the flag on', { faults: [{ kind: 'status', status: 400, times: 'forever' }] }],
  ])('a call that nobody looks at is an unhandled rejection, as it was: %s', async (_flag, options) => {
    const error = new Error("the loop's own")
    const { loop } = await setUp({ ...options, legacy: () => Promise.reject(error) })
    const listeners = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    try {
      const seen = new Promise((resolve) => process.once('unhandledRejection', resolve))
      void loop('x')
      expect(await seen).toBe(error)
    } finally {
      process.removeAllListeners('unhandledRejection')
      for (const listener of listeners) process.on('unhandledRejection', listener)
    }
  })

  it('a fromResult that throws rejects, and nothing is run again', async () => {
    const { loop, legacyCalls, charges } = await setUp({
      adapt: {
        fromResult: () => {
          throw new Error('mine')
        },
      },
    })
    await expect(loop('x')).rejects.toThrow('mine')
    expect(legacyCalls).toEqual([])
    expect(charges).toHaveLength(1)
  })

  it('many runs at once keep to themselves', async () => {
    const { loop, charges } = await setUp({ faults: secondTurnBreaks })
    const gate = deferred()
    const answers = Promise.all(Array.from({ length: 8 }, () => gate.promise.then(() => loop('Charge me'))))
    gate.resolve()
    expect((await answers).map((answer) => answer.text)).toEqual(Array.from({ length: 8 }, () => 'The old way.'))
    expect(charges).toHaveLength(8)
  })
})
