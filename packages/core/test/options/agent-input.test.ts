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

const user = { role: 'user', content: 'Hello' }
const called = { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'x', input: {} }] }
const answered = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'ok' }] }
const messages = [user]
const badMessages = 'invalid_messages'

const ofRun: readonly Offence[] = [
  ['no input', undefined, 'invalid_option', 'input', /must be an object/],
  [
    'an unknown option',
    { messages, message: user },
    'unknown_option',
    'message',
    /^unknown option "message"; did you mean "messages"\?$/,
  ],
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
    /must first answer the tool_use "toolu_1"/,
  ],
  [
    'a call that the next message does not answer',
    { messages: [user, called, user, { role: 'assistant', content: 'x' }, user] },
    badMessages,
    'messages[2]',
    /must first answer the tool_use "toolu_1"/,
  ],
  [
    'a call that is answered behind something else',
    { messages: [user, called, { role: 'user', content: [{ type: 'text', text: 'x' }, ...answered.content] }] },
    badMessages,
    'messages[2]',
    /must first answer the tool_use "toolu_1"/,
  ],
  [
    'a call that is answered behind another message',
    { messages: [user, called, user, answered] },
    badMessages,
    'messages[2]',
    /must first answer the tool_use "toolu_1"/,
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
  ['an unknown mode', { messages, mode: 'legacy' }, 'invalid_option', 'mode', /one of "auto", "stream", "buffered"$/],
  ['an unknown retraction', { messages, retraction: 'never' }, 'invalid_option', 'retraction', /one of "auto"/],
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
  [
    'a thread that the server holds',
    { messages, request: { thread: { type: 'continue' } } },
    'invalid_option',
    'request.thread',
    /each turn sends the whole conversation/,
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
    /one of "stream", "buffered"/,
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
    /^unknown option ".+"; (did you mean|expected one of)/,
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
