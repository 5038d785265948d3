import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createAgent, defineTool } from '../../src/index.ts'
import { call, delay, errorOf, expectError, type Offence } from './offences.ts'

const client = { messages: { create: () => Promise.resolve({}) } }
const request = { model: 'claude-opus-5-5', max_tokens: 100 }
const valid = { client, request }
const tool = defineTool({ name: 'look_up', description: '', inputSchema: z.object({}), run: () => '' })
const count = /whole number of at least/

const ofAgent: readonly Offence[] = [
  ['no options', undefined, 'invalid_option', 'options', /must be an object/],
  ['no object', 'agent', 'invalid_option', 'options', /must be an object/],
  ['a list', [], 'invalid_option', 'options', /must be an object/],
  [
    'an unknown option',
    { ...valid, tool: [] },
    'unknown_option',
    'tool',
    /^unknown option "tool"; did you mean "tools"\?$/,
  ],
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
    /is set for each turn/,
  ],
  [
    'stream in the request',
    { client, request: { ...request, stream: true } },
    'invalid_option',
    'request.stream',
    /is set for each turn/,
  ],
  [
    'a thread that the server holds',
    { client, request: { ...request, thread: { type: 'create' } } },
    'invalid_option',
    'request.thread',
    /each turn sends the whole conversation/,
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
    /others go in tools/,
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
    /others go in tools/,
  ],
  ['tools that are no list', { ...valid, tools: {} }, 'invalid_option', 'tools', /must be an array, or a function/],
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
  ['middleware that is no list', { ...valid, use: {} }, 'invalid_option', 'use', /must be an array/],
  [
    'middleware that is no object',
    { ...valid, use: [() => {}] },
    'invalid_option',
    'use[0]',
    /must be a middleware, with run/,
  ],
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
    'invalid_option',
    'use[0]',
    /with run\(\), turn\(\), tool\(\)/,
  ],
  ...['run', 'turn', 'tool'].map((around): Offence => [
    `middleware whose ${around} is no function`,
    { ...valid, use: [{ name: 'x', [around]: 1 }] },
    'invalid_option',
    `use[0].${around}`,
    /must be a function/,
  ]),
  ['limits that are no object', { ...valid, limits: 5 }, 'invalid_option', 'limits', /must be an object/],
  [
    'an unknown limit',
    { ...valid, limits: { turn: 1 } },
    'unknown_option',
    'limits.turn',
    /^unknown option "limits.turn"; did you mean "turns"\?$/,
  ],
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
    /^unknown option ".+"; (did you mean|expected one of)/,
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
    /one of "auto", "retract", "continue", "hold", "fail"$/,
  ],
  [
    'an unknown policy for server tools',
    { ...valid, recovery: { retryAfterServerTools: 'sometimes' } },
    'invalid_option',
    'recovery.retryAfterServerTools',
    /one of "always", "never", "reads"$/,
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
    'a budget that does not say what is left',
    { ...valid, recovery: { budget: { request() {}, take: () => true } } },
    'invalid_option',
    'recovery.budget.left',
    /a number/,
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
