import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  adaptLoop,
  createAgent,
  defineTool,
  isMillraceError,
  type LegacyScope,
  MillraceError,
} from '../../src/index.ts'
import { chatLoopPreset } from '../../src/adapt/chat-preset.ts'
import { call, delay, errorOf, expectError, type Offence } from './offences.ts'

const client = { messages: { create: () => Promise.resolve({}) } }
const messages = [{ role: 'user', content: 'Hello' }]

const plain = { name: 'x', description: 'x', inputSchema: z.object({}), run: () => '' }
const badSchema = 'invalid_schema'

const ofTool: readonly Offence[] = [
  ['no options', undefined, 'invalid_option', 'options', /must be an object/],
  [
    'an unknown option',
    { ...plain, readonly: true },
    'unknown_option',
    'readonly',
    /^unknown option ".+"; (did you mean ".+"\?|expected one of name)/,
  ],
  ['no name', { ...plain, name: undefined }, 'invalid_option', 'name', /1 to 128 letters/],
  ['a name with a space', { ...plain, name: 'look up' }, 'invalid_option', 'name', /1 to 128 letters/],
  ['a name that is too long', { ...plain, name: 'x'.repeat(129) }, 'invalid_option', 'name', /1 to 128 letters/],
  ['no description', { ...plain, description: undefined }, 'invalid_option', 'description', /must be a string/],
  ['no run', { ...plain, run: undefined }, 'invalid_option', 'run', /must be a function/],
  ['a reconcile that is none', { ...plain, reconcile: true }, 'invalid_option', 'reconcile', /must be a function/],
  ['a definition that is none', { ...plain, definition: [] }, 'invalid_option', 'definition', /must be an object/],
  ['readOnly in words', { ...plain, readOnly: 'yes' }, 'invalid_option', 'readOnly', /true or false/],
  ['idempotent in words', { ...plain, idempotent: 1 }, 'invalid_option', 'idempotent', /true or false/],
  ...[0, -1, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY, '5s'].map((timeout): Offence => [
    `a timeout of ${timeout}`,
    { ...plain, timeout },
    'invalid_option',
    'timeout',
    delay,
  ]),
  [
    'no schema',
    { ...plain, inputSchema: undefined },
    badSchema,
    'inputSchema',
    /Standard Schema or \{ jsonSchema, validate\? \}/,
  ],
  [
    'a JSON Schema that was not named so',
    { ...plain, inputSchema: { type: 'object' } },
    badSchema,
    'inputSchema',
    /Standard Schema or \{ jsonSchema/,
  ],
  [
    'a JSON Schema of no object',
    { ...plain, inputSchema: { jsonSchema: { type: 'string' } } },
    badSchema,
    'inputSchema.jsonSchema',
    /must be "object"/,
  ],
  [
    'a validator that is none',
    { ...plain, inputSchema: { jsonSchema: { type: 'object' }, validate: {} } },
    badSchema,
    'inputSchema.validate',
    /must be a function/,
  ],
  ['a schema of no object', { ...plain, inputSchema: z.string() }, badSchema, 'inputSchema', /must describe an object/],
  [
    'a schema that JSON Schema has no words for',
    { ...plain, inputSchema: z.object({ at: z.date() }) },
    badSchema,
    'inputSchema',
    /cannot be expressed as JSON Schema/,
  ],
  [
    'a Standard Schema without JSON Schema',
    { ...plain, inputSchema: { '~standard': { version: 1, vendor: 'v', validate() {} } } },
    badSchema,
    'inputSchema',
    /gives no JSON Schema: zod/,
  ],
]

describe('defineTool', () => {
  it.each(ofTool)('refuses %s', (...offence) => {
    expectError(
      errorOf(() => call(defineTool, offence[1])),
      offence,
    )
  })
})

const loop = {
  legacy: () => Promise.resolve(''),
  agent: createAgent({ client, request: { model: 'm', max_tokens: 1 } }),
  toInput: () => ({ messages }),
  fromResult: () => '',
}

const ofAdapter: readonly Offence[] = [
  ['no options', undefined, 'invalid_option', 'options', /must be an object/],
  [
    'an unknown option',
    { ...loop, flag: true },
    'unknown_option',
    'flag',
    /^unknown option "flag"; did you mean "flags"\?$/,
  ],
  ...['legacy', 'toInput', 'fromResult'].flatMap((name): Offence[] => [
    [`no ${name}`, { ...loop, [name]: undefined }, 'invalid_option', name, /must be a function/],
    [`a ${name} that is no function`, { ...loop, [name]: {} }, 'invalid_option', name, /must be a function/],
  ]),
  ['no agent', { ...loop, agent: undefined }, 'invalid_option', 'agent', /made by createAgent or remoteAgent/],
  [
    'an agent that is none',
    { ...loop, agent: {} },
    'invalid_option',
    'agent',
    /^agent must be an agent, made by createAgent or remoteAgent$/,
  ],
  ...['context', 'useStreaming', 'onEvent', 'onWarning'].map((name): Offence => [
    `a ${name} that is no function`,
    { ...loop, [name]: true },
    'invalid_option',
    name,
    /must be a function/,
  ]),
  [
    'flags that are none',
    { ...loop, flags: { use_streaming: true } },
    'invalid_option',
    'flags',
    /getBooleanDetails\(\)/,
  ],
  ['a scope that is none', { ...loop, scope: {} }, 'invalid_option', 'scope', /run\(\), getStore\(\)/],
  ['legacyReports in words', { ...loop, legacyReports: 'yes' }, 'invalid_option', 'legacyReports', /true or false/],
  ['a deadline of 0', { ...loop, flagDeadline: 0 }, 'invalid_option', 'flagDeadline', delay],
  [
    'a restart without a scope',
    { ...loop, handover: 'restart' },
    'invalid_option',
    'scope',
    /AsyncLocalStorage where handover is "restart"/,
  ],
  [
    'an unknown hand-over',
    { ...loop, handover: 'resume' },
    'invalid_option',
    'handover',
    /\{ toArgs, fromLegacy \} or "restart"/,
  ],
  [
    'half a hand-over',
    { ...loop, handover: { toArgs() {} } },
    'invalid_option',
    'handover.fromLegacy',
    /must be a function/,
  ],
  [
    'an unknown part of a hand-over',
    { ...loop, handover: { toArgs() {}, fromLegacy() {}, fromResult() {} } },
    'unknown_option',
    'handover.fromResult',
    /^unknown option "handover.fromResult"; expected one of toArgs, fromLegacy$/,
  ],
  ['a runtime that is no object', { ...loop, runtime: 1 }, 'invalid_option', 'runtime', /must be an object/],
  [
    'an unknown part of the runtime',
    { ...loop, runtime: { time: {} } },
    'unknown_option',
    'runtime.time',
    /clock, random, newId/,
  ],
  [
    'a clock that is none',
    { ...loop, runtime: { clock: {} } },
    'invalid_option',
    'runtime.clock',
    /now\(\), setTimer\(\)/,
  ],
]

describe('adaptLoop', () => {
  it.each(ofAdapter)('refuses %s', (...offence) => {
    expectError(
      errorOf(() => call(adaptLoop, offence[1])),
      offence,
    )
  })

  it('takes the preset, an AsyncLocalStorage as scope, and runtime parts that are undefined', () => {
    const preset = chatLoopPreset({ fromResult: () => '', textOf: (text: string) => text, historyOf: () => [] })
    expect(call(adaptLoop, { ...loop, ...preset })).toBeTypeOf('function')
    const scope = new AsyncLocalStorage<LegacyScope>()
    expect(call(adaptLoop, { ...loop, handover: 'restart', scope, runtime: { clock: undefined } })).toBeTypeOf(
      'function',
    )
  })
})

describe('a MillraceError', () => {
  it('is recognised by its fields, from any copy of the package', () => {
    const foreign = Object.assign(new Error('x'), { name: 'MillraceError', code: 'garbage' })
    expect(isMillraceError(foreign)).toBe(true)
    expect(isMillraceError(foreign, 'garbage')).toBe(true)
    expect(isMillraceError(foreign, 'truncated')).toBe(false)
    expect(isMillraceError(new MillraceError('garbage', 'x'), 'garbage')).toBe(true)
  })

  it.each([undefined, null, 'garbage', new Error('x'), { code: 'garbage' }, { name: 'MillraceError' }])(
    'is not %s',
    (other) => {
      expect(isMillraceError(other)).toBe(false)
    },
  )

  it('keeps its cause, and has none where none was given', () => {
    const cause = new Error('inner')
    expect(new MillraceError('internal', 'x', { cause }).cause).toBe(cause)
    expect('cause' in new MillraceError('internal', 'x')).toBe(false)
  })
})
