import { describe, it } from 'vitest'
import { createAgent } from '../../src/index.ts'
import { call, errorOf, expectError, type Offence } from './offences.ts'

const client = { messages: { create: () => Promise.resolve({}) } }
const count = /whole number of at least/
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
  [
    'two calls of one message with one id',
    { messages: [user, { role: 'assistant', content: [...called.content, ...called.content] }, answered] },
    badMessages,
    'messages[1].content[1].id',
    /must not be "toolu_1": messages\[1\]\.content\[0\] has that id/,
  ],
  [
    'two calls of two messages with one id',
    { messages: [user, called, answered, called, answered] },
    badMessages,
    'messages[3].content[0].id',
    /must not be "toolu_1": messages\[1\]\.content\[0\] has that id/,
  ],
  ...['server_tool_use', 'mcp_tool_use'].map((type): Offence => [
    `a ${type} with the id of a call`,
    {
      messages: [
        user,
        called,
        answered,
        { role: 'assistant', content: [{ type, id: 'toolu_1', name: 'web_search', input: {} }] },
        user,
      ],
    },
    badMessages,
    'messages[3].content[0].id',
    /must not be "toolu_1"/,
  ]),
  ...[{ id: '' }, { id: undefined }, { id: 7 }].map((id): Offence => [
    `a call with the id ${String(id.id)}`,
    { messages: [user, { role: 'assistant', content: [{ type: 'tool_use', name: 'x', input: {}, ...id }] }, user] },
    badMessages,
    'messages[1].content[0].id',
    /must be a string that is not empty/,
  ]),
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
    /is set for each turn/,
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
