import { runInNewContext } from 'node:vm'
import { text, thinking, toolUse, type Turn } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import {
  type AgentCallbacks,
  type AgentOptions,
  defineTool,
  isMillraceError,
  type MillraceError,
  type RunResult,
} from '../../src/index.ts'
import { agentOn, claudeFor, eventsOf, question } from '../support/scripted.ts'

const inputSchema = { jsonSchema: { type: 'object' } }
const lookUp = defineTool({
  name: 'look_up',
  description: '',
  inputSchema,
  run(_input, { progress }) {
    progress({ progress: 1, total: 2, message: 'half', data: { at: 'shelf' } })
    return { found: true }
  },
})
const broken = defineTool({
  name: 'broken',
  description: '',
  inputSchema,
  run() {
    throw new Error('out of order')
  },
})

const script: readonly Turn[] = [
  {
    content: [
      thinking('Let me think.'),
      text('I look. '),
      toolUse('look_up', { order: '17' }, { id: 'toolu_1' }),
      toolUse('broken', { order: '18' }, { id: 'toolu_2' }),
    ],
  },
  { content: [text('Here you are.')] },
]

type Call = readonly [name: string, ...args: readonly unknown[]]

/** All callbacks, which write down how they were called. */
function recording(calls: Call[]): Required<AgentCallbacks> {
  return {
    onText: (...args) => void calls.push(['onText', ...args]),
    onThinking: (...args) => void calls.push(['onThinking', ...args]),
    onToolUse: (...args) => void calls.push(['onToolUse', ...args]),
    onToolProgress: (...args) => void calls.push(['onToolProgress', ...args]),
    onToolResult: (...args) => void calls.push(['onToolResult', ...args]),
    onRetract: (...args) => void calls.push(['onRetract', ...args]),
    onError: (...args) => void calls.push(['onError', ...args]),
    onEvent: (...args) => void calls.push(['onEvent', ...args]),
  }
}

const named = (calls: readonly Call[], name: keyof AgentCallbacks): readonly unknown[][] =>
  calls.filter((call) => call[0] === name).map(([, ...args]) => args)

const joined = (calls: readonly Call[], name: keyof AgentCallbacks): string =>
  named(calls, name)
    .map(([part]) => String(part))
    .join('')

interface Called {
  readonly calls: readonly Call[]
  readonly result: RunResult
  readonly warnings: readonly MillraceError[]
}

async function runWith(
  callbacks: (calls: Call[]) => AgentCallbacks,
  faults: Parameters<typeof claudeFor>[1] = {},
  options: Partial<AgentOptions> = {},
): Promise<Called> {
  const claude = await claudeFor(script, faults)
  const warnings: MillraceError[] = []
  const agent = agentOn(claude, { tools: [lookUp, broken], onWarning: (error) => warnings.push(error), ...options })
  const calls: Call[] = []
  const result = await agent.run({ messages: question, runId: 'run-1', callbacks: callbacks(calls) }).result
  return { calls, result, warnings }
}

describe('each callback arrives with its arguments', () => {
  it.each(['stream', 'buffered'] as const)('in mode %s', async (mode) => {
    const claude = await claudeFor(script)
    const calls: Call[] = []
    const agent = agentOn(claude, { tools: [lookUp, broken] })
    const run = agent.run({ messages: question, runId: 'run-1', mode, callbacks: recording(calls) })
    const events = await eventsOf(run)
    const first = { runId: 'run-1', turn: 1 }
    const [one, two] = [
      { ...first, toolUseId: 'toolu_1' },
      { ...first, toolUseId: 'toolu_2' },
    ]

    expect(joined(calls, 'onText')).toBe('I look. Here you are.')
    expect(named(calls, 'onText')[0]?.[1]).toEqual(first)
    expect(named(calls, 'onText').at(-1)?.[1]).toEqual({ runId: 'run-1', turn: 2 })
    expect(joined(calls, 'onThinking')).toBe('Let me think.')
    expect(named(calls, 'onThinking')[0]?.[1]).toEqual(first)
    expect(named(calls, 'onToolUse')).toEqual([
      ['look_up', { order: '17' }, one],
      ['broken', { order: '18' }, two],
    ])
    expect(named(calls, 'onToolProgress')).toEqual([
      ['look_up', { order: '17' }, 'half', { progress: 1, total: 2, message: 'half', data: { at: 'shelf' } }, one],
    ])
    // The input comes with the result.
    expect(named(calls, 'onToolResult').toSorted(([a], [b]) => (String(a) < String(b) ? 1 : -1))).toEqual([
      ['look_up', { order: '17' }, '{"found":true}', { ...one, outcome: 'ok' }],
      ['broken', { order: '18' }, 'out of order', { ...two, outcome: 'error' }],
    ])
    expect(named(calls, 'onEvent').map(([event]) => event)).toEqual(events)
    expect(named(calls, 'onRetract')).toEqual([])
    expect(named(calls, 'onError')).toEqual([])
  })

  it('onRetract is given the text that is withdrawn, and the rest is what was said', async () => {
    const faults = { faults: [{ kind: 'destroy', at: { event: 9 }, stream: true, turn: 2 }] } as const
    let asked = 0
    const claude = await claudeFor((conversation) => {
      if (conversation.turn === 1) return { content: [toolUse('look_up')] }
      return { content: [text(asked++ === 0 ? 'The first wording of it, to be cut.' : 'The second wording.')] }
    }, faults)
    const calls: Call[] = []
    const run = agentOn(claude, { tools: [lookUp] }).run({
      messages: question,
      runId: 'run-1',
      callbacks: recording(calls),
    })
    const { text: said } = await run.result
    expect(said).toBe('The second wording.')
    let shown = ''
    for (const [name, first] of calls) {
      if (name === 'onText') shown += String(first)
      if (name !== 'onRetract') continue
      const { text: withdrawn, turn } = Object(first)
      expect(turn).toBe(2)
      expect(shown.endsWith(withdrawn)).toBe(true)
      expect(withdrawn).not.toBe('')
      shown = shown.slice(0, -withdrawn.length)
    }
    expect(shown).toBe('The second wording.')
    expect(named(calls, 'onRetract')).toEqual([
      [
        { turn: 2, text: expect.any(String) },
        { runId: 'run-1', turn: 2 },
      ],
    ])
    expect(named(calls, 'onError')).toEqual([
      [
        expect.objectContaining({ code: 'connection_lost', retryable: true }),
        { runId: 'run-1', turn: 2, recoverable: true },
      ],
    ])
  })

  it('onError is given what a run failed with, fit for a client; the original is in the result', async () => {
    const faults = { faults: [{ kind: 'status', status: 401, times: 'forever' }] } as const
    const { calls, result } = await runWith(recording, faults)
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'authentication', status: 401 } })
    const [[error, meta] = []] = named(calls, 'onError')
    expect(named(calls, 'onError')).toHaveLength(1)
    expect(error).toEqual({
      code: 'authentication',
      message: 'The model API refused the credentials',
      retryable: false,
      requestId: expect.any(String),
    })
    expect(meta).toEqual({ runId: 'run-1', turn: 1, recoverable: false })
    expect(JSON.stringify(calls)).not.toMatch(/upstream-detail|sk-test|node_modules/)
    expect(result.error?.cause).toMatchObject({ status: 401 })
  })
})

/** Ways in which a callback can go wrong. */
const failures: readonly (readonly [string, () => unknown])[] = [
  ['throws', () => fail(new Error('my own mistake'))],
  ['rejects', () => Promise.reject(new Error('my own mistake'))],
  ['throws no error', () => JSON.parse('{')],
  ['rejects in another realm', () => runInNewContext("Promise.reject(new Error('my own mistake'))")],
]

function fail(error: Error): never {
  throw error
}

describe.each(failures)('a callback that %s', (_how, body) => {
  const names = ['onText', 'onThinking', 'onToolUse', 'onToolProgress', 'onToolResult', 'onEvent'] as const

  it.each(names)('%s: is reported, and changes nothing', async (name) => {
    const plain = await runWith(recording)
    const failing = await runWith((calls) => {
      const all = recording(calls)
      return { ...all, [name]: (...args: readonly unknown[]) => (calls.push([name, ...args]), body()) }
    })
    const own = (calls: readonly Call[]): unknown[] =>
      calls.filter(([each]) => each !== 'onError' && each !== 'onEvent')
    expect(own(failing.calls)).toEqual(own(plain.calls))
    expect({ ...failing.result, runId: '' }).toEqual({ ...plain.result, runId: '' })
    const times = named(failing.calls, name).length
    const reported = named(failing.calls, 'onError')
    expect(times).toBeGreaterThan(0)
    expect(reported).toHaveLength(times)
    for (const [error, meta] of reported) {
      expect(error).toEqual({ code: 'callback_failed', message: `The callback ${name} failed`, retryable: false })
      expect(meta).toMatchObject({ runId: 'run-1', recoverable: true })
    }
    expect(failing.warnings.every((warning) => isMillraceError(warning, 'callback_failed'))).toBe(true)
    expect(failing.warnings).toHaveLength(times)
    expect(Object.prototype.toString.call(failing.warnings[0]?.cause)).toBe('[object Error]')
  })

  it('onError itself: is told to onWarning alone', async () => {
    const { result, warnings } = await runWith(() => ({ onError: () => body(), onText: () => body() }), {}, {})
    expect(result.outcome).toBe('completed')
    const messages = warnings.map(({ message }) => message)
    expect(messages).toContain('The callback onText failed')
    expect(messages).toContain('The callback onError failed')
  })

  it('onRetract and onText of a broken stream: is reported, and changes nothing', async () => {
    const faults = { faults: [{ kind: 'destroy', at: { event: 8 }, stream: true }] } as const
    const { result, warnings } = await runWith(() => ({ onText: () => {}, onRetract: () => body() }), faults)
    expect(result.outcome).toBe('completed')
    expect(warnings.map(({ code }) => code)).toContain('connection_lost')
  })
})

it('an onWarning that throws changes nothing', async () => {
  const { result } = await runWith(
    () => ({ onText: () => fail(new Error('x')) }),
    {},
    { onWarning: () => fail(new Error('y')) },
  )
  expect(result).toMatchObject({ outcome: 'completed', text: 'Here you are.' })
})

it('callbacks, iteration and the result go together', async () => {
  const claude = await claudeFor(script)
  const calls: Call[] = []
  const run = agentOn(claude, { tools: [lookUp, broken] }).run({ messages: question, callbacks: recording(calls) })
  const [first, second, result] = await Promise.all([eventsOf(run), eventsOf(run), run.result])
  expect(first).toEqual(second)
  expect(named(calls, 'onEvent').map(([event]) => event)).toEqual(first)
  expect(result.text).toBe('Here you are.')
})

it('a callback that is given nothing to call is not needed: a run may only be awaited', async () => {
  const { result, calls } = await runWith(() => ({}))
  expect(result.text).toBe('Here you are.')
  expect(calls).toEqual([])
})
