import { AsyncLocalStorage } from 'node:async_hooks'
import Anthropic, { APIUserAbortError } from '@anthropic-ai/sdk'
import { type ContentBlock, text, toolUse, validateMessages } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { type AgentEvent, type FlagClient, isMillraceError, type LegacyScope } from '../../src/index.ts'
import { claudeFor, only } from '../support/scripted.ts'
import { legacyAnswer, on, secondTurnBreaks, setUp, type SetupOptions } from './set-up.ts'

const off: FlagClient = { getBooleanDetails: () => ({ value: false }) }
const scope = new AsyncLocalStorage<LegacyScope>()

/** How a call comes to the existing loop. */
const ways: readonly (readonly [string, SetupOptions])[] = [
  ['alone, with the flag off', { adapt: { flags: off } }],
  ['from the history, after a turn', { faults: secondTurnBreaks }],
  ['from the start, before the first turn', { faults: [{ kind: 'status', status: 400, times: 'forever' }] }],
  [
    'from the start, after a turn',
    { faults: secondTurnBreaks, handover: 'none', adapt: { handover: 'restart', scope } },
  ],
  [
    'because the run cannot be started',
    {
      adapt: {
        toInput: () => {
          throw new Error('no input')
        },
      },
    },
  ],
]

/** What the SDK throws where its caller aborts. */
async function abortOfSdk(): Promise<unknown> {
  const claude = await claudeFor([{ content: [text('x')] }])
  const client = new Anthropic({ apiKey: 'sk-test', baseURL: claude.url, maxRetries: 0 })
  const params = { model: 'm', max_tokens: 1, messages: [{ role: 'user' as const, content: 'x' }] }
  return client.messages.create(params, { signal: AbortSignal.abort() }).then(
    () => new Error('was not aborted'),
    (error: unknown) => error,
  )
}

/** What an aborted loop throws; a loop may wrap it, or throw something of its own. */
const throws: readonly (readonly [string, () => unknown])[] = [
  ['AbortError of the platform', () => AbortSignal.abort().reason],
  ["the SDK's APIUserAbortError, as it throws it", abortOfSdk],
  ['an error of its own', () => new TypeError("the loop's own")],
  ['what is no error', () => ({ name: 'AbortError' })],
  ['nothing', () => undefined],
]

/** Where the caller's signal stands among the arguments behind the question. */
const places: readonly (readonly [string, (signal: AbortSignal) => readonly unknown[]])[] = [
  ['an argument', (signal) => [signal]],
  ['a field of an argument', (signal) => [{ timeout: 5, signal }]],
  ['the last of many', (signal) => [null, undefined, 7, [], { options: {} }, { abortSignal: signal }]],
]

interface Ended {
  readonly rejected: unknown
  readonly events: readonly AgentEvent[]
  readonly calls: number
}

/** Calls the adapted loop with these further arguments; the existing loop runs `body`. */
async function callWith(options: SetupOptions, further: readonly unknown[], body: () => unknown): Promise<Ended> {
  const legacy = (): Promise<never> => Promise.reject(body())
  const { loop, events, legacyCalls } = await setUp({ ...options, legacy })
  const called: Promise<unknown> = Reflect.apply(loop, undefined, ['Charge me', ...further])
  const rejected = await called.then(
    () => 'not rejected',
    (cause: unknown) => cause,
  )
  return { rejected, events, calls: legacyCalls.length }
}

describe.each(ways)('a loop that is called %s', (_way, options) => {
  it.each(throws)(
    'and that its caller aborts, so that it throws %s, was interrupted and did not fail',
    async (_what, make) => {
      const error = await make()
      for (const [place, argumentsOf] of places) {
        const controller = new AbortController()
        const { rejected, events, calls } = await callWith(options, argumentsOf(controller.signal), () => {
          controller.abort()
          return error
        })
        expect(rejected, place).toBe(error)
        expect(calls, place).toBe(1)
        expect(only(events, 'run.finished'), place).toMatchObject([{ outcome: 'interrupted' }])
        expect(events.at(-1), place).not.toHaveProperty('error')
      }
    },
  )

  it.each(throws)('and that throws %s by itself has failed, whatever that is called', async (_what, make) => {
    const error = await make()
    for (const [place, argumentsOf] of [...places, ['nowhere', () => []] as const]) {
      const { rejected, events } = await callWith(options, argumentsOf(new AbortController().signal), () => error)
      expect(rejected, place).toBe(error)
      expect(only(events, 'run.finished'), place).toMatchObject([
        { outcome: 'failed', error: { code: 'legacy_failed' } },
      ])
      expect(JSON.stringify(events), place).not.toContain("the loop's own")
    }
  })

  it('gives a run whose result says the same, with a history that goes on', async () => {
    const controller = new AbortController()
    const error = new Error('stopped')
    const { loop } = await setUp({
      ...options,
      legacy: () => {
        controller.abort()
        return Promise.reject(error)
      },
    })
    const run: ReturnType<typeof loop.run> = Reflect.apply(loop.run, undefined, ['Charge me', controller.signal])
    const result = await run.result
    expect(result.outcome).toBe('interrupted')
    expect(result).not.toHaveProperty('error')
    expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }])).toBeUndefined()

    const throwing = Object.defineProperty({}, 'signal', {
      enumerable: true,
      get() {
        throw new Error('a getter of the caller')
      },
    })
    const odd = await setUp({ ...options, legacy: () => Promise.reject(error) })
    await expect(Reflect.apply(odd.loop, undefined, ['Charge me', throwing])).rejects.toBe(error)

    const failing = await setUp({ ...options, legacy: () => Promise.reject(error) })
    const failed = await failing.loop.run('Charge me').result
    expect(failed).toMatchObject({ outcome: 'failed', error: { code: 'legacy_failed', cause: error } })
  })
})

it('the error that the SDK aborts with is the one that is meant', async () => {
  expect(await abortOfSdk()).toBeInstanceOf(APIUserAbortError)
})

describe('a loop that starts over, after a turn in which Anthropic ran a tool', () => {
  type Pair = readonly [call: ContentBlock, result: ContentBlock]
  const server = (name: string, result: string): Pair => [
    { type: 'server_tool_use', id: 'srvtoolu_1', name, input: { query: 'x' } },
    { type: result, tool_use_id: 'srvtoolu_1', content: [] },
  ]
  const mcp: Pair = [
    { type: 'mcp_tool_use', id: 'mcptoolu_1', name: 'book', server_name: 'x', input: {} },
    { type: 'mcp_tool_result', tool_use_id: 'mcptoolu_1', is_error: false, content: [] },
  ]
  const setUpWith = (pair: Pair): ReturnType<typeof setUp> =>
    setUp({
      turns: [
        { content: [text('One moment. '), ...pair, toolUse('charge', { cents: 5 }, { id: 'toolu_1' })] },
        { content: [text('All of it is done now.')] },
      ],
      faults: secondTurnBreaks,
      handover: 'none',
      adapt: { handover: 'restart', scope, flags: on },
    })

  it.each<[string, Pair]>([
    ['of the MCP connector', mcp],
    ['that executes code', server('code_execution', 'code_execution_tool_result')],
  ])('%s, is not called: it would be run twice', async (_what, pair) => {
    const { loop, legacyCalls, events, charges } = await setUpWith(pair)
    const error: unknown = await loop('x').catch((cause: unknown) => cause)
    expect(isMillraceError(error, 'connection_lost')).toBe(true)
    expect(legacyCalls).toEqual([])
    expect(charges).toHaveLength(1)
    expect(only(events, 'turn.retracted')).toEqual([])
    expect(only(events, 'fallback').map(({ to }) => to)).not.toContain('legacy')
    expect(only(events, 'run.finished')).toMatchObject([{ outcome: 'failed', error: { code: 'connection_lost' } }])
  })

  it.each<[string, Pair]>([
    ['web_search', server('web_search', 'web_search_tool_result')],
    ['web_fetch', server('web_fetch', 'web_fetch_tool_result')],
  ])('%s, is called: it may run again', async (_what, pair) => {
    const { loop, legacyCalls, events } = await setUpWith(pair)
    expect((await loop('x')).text).toBe('The old way.')
    expect(legacyCalls).toHaveLength(1)
    expect(only(events, 'fallback').map(({ to }) => to)).toEqual(['legacy'])
    expect(only(events, 'run.finished')).toMatchObject([{ outcome: 'completed' }])
  })
})

describe('an interrupt, while the existing loop runs', () => {
  it('reaches it through the signal that it was handed, and the run was interrupted', async () => {
    const given: AbortSignal[] = []
    const error = new Error('stopped')
    const { loop, handed } = await setUp({
      faults: secondTurnBreaks,
      legacy: async () => {
        given.push(...handed.map(({ signal }) => signal))
        run.interrupt('user')
        throw error
      },
    })
    const run = loop.run('Charge me')
    const { outcome, messages, ...rest } = await run.result
    expect(given).toMatchObject([{ aborted: true, reason: { code: 'aborted' } }])
    expect(outcome).toBe('interrupted')
    expect(rest).not.toHaveProperty('error')
    expect(validateMessages([...messages, { role: 'user', content: 'Next' }])).toBeUndefined()
  })

  it('with the flag off it reaches nobody: what the loop then throws counts as stopped, what it answers is the answer', async () => {
    const throwing = await setUp({
      adapt: { flags: off },
      legacy: () => {
        stopped.interrupt()
        return Promise.reject(new Error('stopped'))
      },
    })
    const stopped = throwing.loop.run('x')
    expect(await stopped.result).toMatchObject({ outcome: 'interrupted' })
    const answering = await setUp({
      adapt: { flags: off },
      legacy: () => {
        answered.interrupt()
        return Promise.resolve(legacyAnswer)
      },
    })
    const answered = answering.loop.run('x')
    expect(await answered.result).toMatchObject({ outcome: 'completed', text: 'The old way.' })
  })
})
