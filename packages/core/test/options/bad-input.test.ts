import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  adaptLoop,
  chatLoopPreset,
  createAgent,
  defineTool,
  type ErrorCode,
  isMillraceError,
  type LegacyScope,
  MillraceError,
} from '../../src/index.ts'

/** Calls with what TypeScript would not allow. */
function call(target: unknown, ...args: readonly unknown[]): unknown {
  if (typeof target !== 'function') throw new TypeError('not a function')
  return Reflect.apply(target, undefined, args)
}

function errorOf(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** An offence: what is wrong, its options, and the code, path and expectation of the error. */
type Offence = readonly [what: string, given: unknown, code: ErrorCode, path: string, expected: RegExp]

function expectError(error: unknown, [, , code, path, expected]: Offence): void {
  expect(isMillraceError(error)).toBe(true)
  expect(error).toMatchObject({ name: 'MillraceError', code, path, retryable: false })
  const message = error instanceof Error ? error.message : ''
  expect(message).toMatch(expected)
  expect(message.includes(path) || path === 'options' || path === 'input').toBe(true)
}

const client = { messages: { create: () => Promise.resolve({}) } }
const request = { model: 'claude-opus-5-5', max_tokens: 100 }
const valid = { client, request }
const tool = defineTool({ name: 'look_up', description: '', inputSchema: z.object({}), run: () => '' })
const delay = /number of milliseconds/
const count = /whole number of at least/

const ofAgent: readonly Offence[] = [
  ['no options', undefined, 'invalid_option', 'options', /must be an object/],
  ['no object', 'agent', 'invalid_option', 'options', /must be an object/],
  ['a list', [], 'invalid_option', 'options', /must be an object/],
  ['an unknown option', { ...valid, tool: [] }, 'unknown_option', 'tool', /is no option; known here are client/],
  ['no client', { request }, 'invalid_option', 'client', /model client, with messages\.create/],
  ['a client without messages', { client: {}, request }, 'invalid_option', 'client', /messages\.create/],
  ['a client without create', { client: { messages: {} }, request }, 'invalid_option', 'client', /messages\.create/],
  ['no request', { client }, 'invalid_option', 'request', /object of Messages API parameters/],
  [
    'no model',
    { client, request: { max_tokens: 1 } },
    'invalid_option',
    'request.model',
    /must be a string that is not empty/,
  ],
  [
    'an empty model',
    { client, request: { ...request, model: '' } },
    'invalid_option',
    'request.model',
    /must be a string that is not empty/,
  ],
  ['no max_tokens', { client, request: { model: 'm' } }, 'invalid_option', 'request.max_tokens', count],
  [
    'a null max_tokens',
    { client, request: { ...request, max_tokens: null } },
    'invalid_option',
    'request.max_tokens',
    count,
  ],
  [
    'max_tokens of 0',
    { client, request: { ...request, max_tokens: 0 } },
    'invalid_option',
    'request.max_tokens',
    count,
  ],
  ['half a token', { client, request: { ...request, max_tokens: 0.5 } }, 'invalid_option', 'request.max_tokens', count],
  [
    'messages in the request',
    { client, request: { ...request, messages: [] } },
    'invalid_option',
    'request.messages',
    /give messages to run\(\)/,
  ],
  [
    'stream in the request',
    { client, request: { ...request, stream: true } },
    'invalid_option',
    'request.stream',
    /is set for each turn/,
  ],
  [
    'server tools that are no list',
    { client, request: { ...request, tools: {} } },
    'invalid_option',
    'request.tools',
    /array/,
  ],
  [
    'a client tool among the server tools',
    { client, request: { ...request, tools: [{ name: 'x', input_schema: {} }] } },
    'invalid_option',
    'request.tools[0]',
    /give client tools in tools, by defineTool/,
  ],
  [
    'a custom tool among the server tools',
    {
      client,
      request: {
        ...request,
        tools: [
          { type: 'web_search_20260209', name: 'web_search' },
          { type: 'custom', name: 'x' },
        ],
      },
    },
    'invalid_option',
    'request.tools[1]',
    /defineTool/,
  ],
  ['tools that are no list', { ...valid, tools: {} }, 'invalid_option', 'tools', /array of tools, or a function/],
  [
    'a tool that is none',
    { ...valid, tools: [tool, { name: 'x' }] },
    'invalid_option',
    'tools[1]',
    /made by defineTool/,
  ],
  [
    'two tools of one name',
    { ...valid, tools: [tool, tool] },
    'duplicate_tool',
    'tools[1].name',
    /"look_up", which another tool has/,
  ],
  ['middleware that is no list', { ...valid, use: {} }, 'invalid_option', 'use', /array of middleware/],
  ['middleware that is no object', { ...valid, use: [() => {}] }, 'invalid_option', 'use[0]', /must be an object/],
  [
    'middleware without a name',
    { ...valid, use: [{ run() {} }] },
    'invalid_option',
    'use[0].name',
    /must be a string that is not empty/,
  ],
  [
    'middleware of an unknown kind',
    { ...valid, use: [{ name: 'x', turns() {} }] },
    'unknown_option',
    'use[0].turns',
    /known here are name, run, turn, tool/,
  ],
  ...['run', 'turn', 'tool'].map((around): Offence => [
    `middleware whose ${around} is no function`,
    { ...valid, use: [{ name: 'x', [around]: 1 }] },
    'invalid_option',
    `use[0].${around}`,
    /must be a function/,
  ]),
  ['limits that are no object', { ...valid, limits: 5 }, 'invalid_option', 'limits', /must be an object/],
  ['an unknown limit', { ...valid, limits: { turn: 1 } }, 'unknown_option', 'limits.turn', /known here are turns/],
  ['no turn at all', { ...valid, limits: { turns: 0 } }, 'invalid_option', 'limits.turns', count],
  ['a fraction of pauses', { ...valid, limits: { pauses: 1.5 } }, 'invalid_option', 'limits.pauses', count],
  ['no tool at a time', { ...valid, limits: { parallelTools: 0 } }, 'invalid_option', 'limits.parallelTools', count],
  ...['toolTimeout', 'toolAbortGrace', 'interruptGrace', 'middlewareGrace', 'flagDeadline'].flatMap(
    (name): Offence[] => [
      [`a negative ${name}`, { ...valid, limits: { [name]: -1 } }, 'invalid_option', `limits.${name}`, delay],
      [
        `a ${name} that timers cannot take`,
        { ...valid, limits: { [name]: 2 ** 31 } },
        'invalid_option',
        `limits.${name}`,
        delay,
      ],
      [`a ${name} in words`, { ...valid, limits: { [name]: '5s' } }, 'invalid_option', `limits.${name}`, delay],
      [
        `a ${name} that is no number`,
        { ...valid, limits: { [name]: Number.NaN } },
        'invalid_option',
        `limits.${name}`,
        delay,
      ],
    ],
  ),
  ['recovery that is no object', { ...valid, recovery: true }, 'invalid_option', 'recovery', /must be an object/],
  [
    'an unknown recovery option',
    { ...valid, recovery: { retries: 1 } },
    'unknown_option',
    'recovery.retries',
    /known here are/,
  ],
  ...['connectTimeout', 'idleTimeout', 'idleTimeoutWithoutPings', 'contentTimeout', 'bufferedTimeout'].map(
    (name): Offence => [
      `a ${name} of 0`,
      { ...valid, recovery: { [name]: 0 } },
      'invalid_option',
      `recovery.${name}`,
      delay,
    ],
  ),
  ...['backoff', 'maxBackoff', 'retryAfterCap'].map((name): Offence => [
    `a negative ${name}`,
    { ...valid, recovery: { [name]: -1 } },
    'invalid_option',
    `recovery.${name}`,
    delay,
  ]),
  ...['streamRetries', 'bufferedRetries', 'extraRequests'].map((name): Offence => [
    `negative ${name}`,
    { ...valid, recovery: { [name]: -1 } },
    'invalid_option',
    `recovery.${name}`,
    count,
  ]),
  [
    'an unknown retraction',
    { ...valid, recovery: { retraction: 'undo' } },
    'invalid_option',
    'recovery.retraction',
    /one of auto, retract, continue, hold, fail/,
  ],
  [
    'an unknown policy for server tools',
    { ...valid, recovery: { retryAfterServerTools: 'sometimes' } },
    'invalid_option',
    'recovery.retryAfterServerTools',
    /one of always, never, reads/,
  ],
  [
    'a blank prompt to go on',
    { ...valid, recovery: { continuePrompt: ' ' } },
    'invalid_option',
    'recovery.continuePrompt',
    /not blank/,
  ],
  [
    'a budget that is none',
    { ...valid, recovery: { budget: {} } },
    'invalid_option',
    'recovery.budget',
    /request\(\), take\(\)/,
  ],
  [
    'a breaker that is none',
    { ...valid, recovery: { breaker: 'closed' } },
    'invalid_option',
    'recovery.breaker',
    /permit\(\), onChange\(\)/,
  ],
  ['eagerTools in words', { ...valid, eagerTools: 'yes' }, 'invalid_option', 'eagerTools', /true or false/],
  [
    'flags that are none',
    { ...valid, flags: { use_streaming: true } },
    'invalid_option',
    'flags',
    /getBooleanDetails\(\)/,
  ],
  ['a journal that is none', { ...valid, journal: {} }, 'invalid_option', 'journal', /open\(\), takeOver\(\)/],
  ['an onWarning that is none', { ...valid, onWarning: 'log' }, 'invalid_option', 'onWarning', /must be a function/],
  ['a runtime that is no object', { ...valid, runtime: 1 }, 'invalid_option', 'runtime', /must be an object/],
  [
    'an unknown part of the runtime',
    { ...valid, runtime: { fetch() {} } },
    'unknown_option',
    'runtime.fetch',
    /clock, random, newId/,
  ],
  [
    'a clock that is none',
    { ...valid, runtime: { clock: { now() {} } } },
    'invalid_option',
    'runtime.clock',
    /now\(\), setTimer\(\)/,
  ],
  [
    'a random that is none',
    { ...valid, runtime: { random: 4 } },
    'invalid_option',
    'runtime.random',
    /must be a function/,
  ],
  [
    'a newId that is none',
    { ...valid, runtime: { newId: 'id' } },
    'invalid_option',
    'runtime.newId',
    /must be a function/,
  ],
]

describe('createAgent', () => {
  it.each(ofAgent)('refuses %s', (...offence) => {
    expectError(
      errorOf(() => call(createAgent, offence[1])),
      offence,
    )
  })

  it('takes an option that is undefined for one that was not given', () => {
    const none = { tools: undefined, use: undefined, limits: undefined, recovery: undefined, flags: undefined }
    const nested = { limits: { turns: undefined }, recovery: { backoff: undefined }, runtime: { clock: undefined } }
    expect(call(createAgent, { ...valid, ...none })).toBeTypeOf('object')
    expect(call(createAgent, { ...valid, ...nested })).toBeTypeOf('object')
  })

  it('needs no check of its own for what the request holds beside model and max_tokens', () => {
    const further = {
      thinking: { type: 'adaptive' },
      a_parameter_of_tomorrow: [1],
      betas: ['x'],
      tools: [{ type: 'web_search_20260209', name: 'web_search' }],
    }
    expect(call(createAgent, { client, request: { ...request, ...further } })).toBeTypeOf('object')
  })
})

const user = { role: 'user', content: 'Hello' }
const called = { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'x', input: {} }] }
const answered = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'ok' }] }
const messages = [user]
const badMessages = 'invalid_messages'

const ofRun: readonly Offence[] = [
  ['no input', undefined, 'invalid_option', 'input', /must be an object/],
  ['an unknown option', { messages, message: user }, 'unknown_option', 'message', /known here are messages/],
  ['no messages', {}, badMessages, 'messages', /array of at least one message/],
  ['an empty list of messages', { messages: [] }, badMessages, 'messages', /at least one/],
  ['a message that is none', { messages: ['Hello'] }, badMessages, 'messages[0]', /role and content/],
  [
    'an unknown role',
    { messages: [{ role: 'human', content: 'x' }] },
    badMessages,
    'messages[0].role',
    /"user", "assistant" or "system"/,
  ],
  [
    'a first message of the assistant',
    { messages: [{ role: 'assistant', content: 'x' }, user] },
    badMessages,
    'messages[0].role',
    /must be "user"/,
  ],
  [
    'blank content',
    { messages: [{ role: 'user', content: ' \n' }] },
    badMessages,
    'messages[0].content',
    /must not be blank/,
  ],
  [
    'no content',
    { messages: [{ role: 'user' }] },
    badMessages,
    'messages[0].content',
    /string or an array of content blocks/,
  ],
  [
    'an empty list of blocks',
    { messages: [{ role: 'user', content: [] }] },
    badMessages,
    'messages[0].content',
    /must not be empty/,
  ],
  [
    'a block that is none',
    { messages: [user, { role: 'assistant', content: ['x'] }] },
    badMessages,
    'messages[1].content[0]',
    /object with a type/,
  ],
  [
    'a blank text block',
    { messages: [{ role: 'user', content: [{ type: 'text', text: '' }] }] },
    badMessages,
    'messages[0].content[0].text',
    /must not be blank/,
  ],
  [
    'a call that nobody answers',
    { messages: [user, called] },
    badMessages,
    'messages[1]',
    /unanswered tool_use "toolu_1"/,
  ],
  [
    'a call that is answered too late',
    { messages: [user, called, { role: 'assistant', content: 'x' }, answered] },
    badMessages,
    'messages[2]',
    /must answer the tool_use "toolu_1"/,
  ],
  [
    'a call that the next message does not answer',
    { messages: [user, called, user, { role: 'assistant', content: 'x' }, user] },
    badMessages,
    'messages[2]',
    /must answer the tool_use "toolu_1"/,
  ],
  [
    'an answer without a call',
    { messages: [user, { role: 'assistant', content: 'x' }, answered] },
    badMessages,
    'messages[2].content[0].tool_use_id',
    /must name a tool_use/,
  ],
  [
    'an answer that is given twice',
    { messages: [user, called, { role: 'user', content: [...answered.content, ...answered.content] }] },
    badMessages,
    'messages[2].content[1].tool_use_id',
    /must name a tool_use/,
  ],
  ['a signal that is none', { messages, signal: {} }, 'invalid_option', 'signal', /AbortSignal/],
  ['an unknown mode', { messages, mode: 'legacy' }, 'invalid_option', 'mode', /one of auto, stream, buffered/],
  ['an unknown retraction', { messages, retraction: 'never' }, 'invalid_option', 'retraction', /one of auto/],
  ['flags that are none', { messages, flags: {} }, 'invalid_option', 'flags', /getBooleanDetails\(\)/],
  ['a ledger that is none', { messages, ledger: [] }, 'invalid_option', 'ledger', /record\(\), take\(\)/],
  ...['runId', 'sessionId', 'owner'].flatMap((name): Offence[] => [
    [`an empty ${name}`, { messages, [name]: '' }, 'invalid_option', name, /string that is not empty/],
    [`a ${name} that is no string`, { messages, [name]: 7 }, 'invalid_option', name, /string that is not empty/],
  ]),
  [
    'a request that is no object',
    { messages, request: 'fast' },
    'invalid_option',
    'request',
    /object of Messages API parameters/,
  ],
  ...['messages', 'stream', 'tools'].map((name): Offence => [
    `${name} in the request`,
    { messages, request: { [name]: [] } },
    'invalid_option',
    `request.${name}`,
    /cannot be changed for one run/,
  ]),
  [
    'a model that is none',
    { messages, request: { model: '' } },
    'invalid_option',
    'request.model',
    /must be a string that is not empty/,
  ],
  ['max_tokens of 0', { messages, request: { max_tokens: 0 } }, 'invalid_option', 'request.max_tokens', count],
  ['a user that is none', { messages, user: 7 }, 'invalid_option', 'user', /string or a flag context/],
  ['a decision that is none', { messages, decision: 'stream' }, 'invalid_option', 'decision', /must be an object/],
  [
    'a decision of an unknown mode',
    { messages, decision: { mode: 'fast', tools: {} } },
    'invalid_option',
    'decision.mode',
    /one of stream, buffered/,
  ],
  [
    'a decision without its tools',
    { messages, decision: { mode: 'stream' } },
    'invalid_option',
    'decision.tools',
    /must be an object/,
  ],
  ['metadata that is no object', { messages, metadata: 7 }, 'invalid_option', 'metadata', /object of plain JSON/],
  ['callbacks that are no object', { messages, callbacks: [] }, 'invalid_option', 'callbacks', /must be an object/],
  [
    'an unknown callback',
    { messages, callbacks: { onToken() {} } },
    'unknown_option',
    'callbacks.onToken',
    /known here are onText/,
  ],
  ...['onError', 'onEvent', 'onRetract', 'onText', 'onThinking', 'onToolProgress', 'onToolResult', 'onToolUse'].map(
    (name): Offence => [
      `an ${name} that is no function`,
      { messages, callbacks: { [name]: true } },
      'invalid_option',
      `callbacks.${name}`,
      /must be a function/,
    ],
  ),
]

describe('agent.run', () => {
  const agent = createAgent({ client, request: { model: 'm', max_tokens: 1 } })

  it.each(ofRun)('refuses %s, at once', (...offence) => {
    expectError(
      errorOf(() => call(agent.run, offence[1])),
      offence,
    )
  })
})

const plain = { name: 'x', description: 'x', inputSchema: z.object({}), run: () => '' }
const badSchema = 'invalid_schema'

const ofTool: readonly Offence[] = [
  ['no options', undefined, 'invalid_option', 'options', /must be an object/],
  [
    'an unknown option',
    { ...plain, readonly: true },
    'unknown_option',
    'readonly',
    /is no option; known here are name/,
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
    /gives no JSON Schema: use zod/,
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
  ['an unknown option', { ...loop, flag: true }, 'unknown_option', 'flag', /known here are legacy/],
  ...['legacy', 'toInput', 'fromResult'].flatMap((name): Offence[] => [
    [`no ${name}`, { ...loop, [name]: undefined }, 'invalid_option', name, /must be a function/],
    [`a ${name} that is no function`, { ...loop, [name]: {} }, 'invalid_option', name, /must be a function/],
  ]),
  ['no agent', { ...loop, agent: undefined }, 'invalid_option', 'agent', /made by createAgent or remoteAgent/],
  ['an agent that is none', { ...loop, agent: {} }, 'invalid_option', 'agent', /run\(\)/],
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
    'handover',
    /toArgs\(\), fromLegacy\(\)/,
  ],
  [
    'an unknown part of a hand-over',
    { ...loop, handover: { toArgs() {}, fromLegacy() {}, fromResult() {} } },
    'unknown_option',
    'handover.fromResult',
    /known here are toArgs, fromLegacy/,
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
