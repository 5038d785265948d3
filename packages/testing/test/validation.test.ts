import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { redactedData, sign, validateMessages, validateRequest } from '../src/index.ts'

const user = (...content: unknown[]) => ({ role: 'user', content })
const assistant = (...content: unknown[]) => ({ role: 'assistant', content })
const say = (text: string) => ({ type: 'text', text })
const call = (id: string, more: object = {}) => ({ type: 'tool_use', id, name: 'look_up', input: {}, ...more })
const result = (id: string, more: object = {}) => ({ type: 'tool_result', tool_use_id: id, content: 'ok', ...more })
const thought = { type: 'thinking', thinking: 'hm', signature: sign('hm') }
const redacted = { type: 'redacted_thinking', data: redactedData('x') }
const image = { type: 'image', source: { type: 'url', url: 'https://example.com/x.png' } }
const search = { type: 'server_tool_use', id: 's1', name: 'web_search', input: {} }
const found = { type: 'web_search_tool_result', tool_use_id: 's1', content: [] }
const mcp = { type: 'mcp_tool_use', id: 'm1', name: 'echo', server_name: 'echo', input: {} }
const code = { type: 'server_tool_use', id: 'c1', name: 'code_execution', input: {} }
const byCode = { caller: { type: 'code_execution_20260120', tool_id: 'c1' } }
const go = user(say('go'))

describe('histories that the API accepts', () => {
  test.each<[string, unknown[]]>([
    ['a question', [{ role: 'user', content: 'hi' }]],
    ['a tool answered', [go, assistant(thought, redacted, call('a')), user(result('a'))]],
    [
      'two tools answered in either order, then text',
      [go, assistant(call('a'), call('b')), user(result('b'), result('a'), say('and?'))],
    ],
    ['results over two user messages', [go, assistant(call('a'), call('b')), user(result('a')), user(result('b'))]],
    ['consecutive assistant messages', [go, assistant(search), assistant(found, say('done')), go]],
    ['a system message in between', [go, assistant(say('yes')), { role: 'system', content: 'be brief' }, go]],
    ['a server tool with its result', [go, assistant(search, found, say('done')), go]],
    ['a paused server tool at the end', [go, assistant(search)]],
    ['a call by code, its result alone', [go, assistant(code, call('a', byCode)), user(result('a'))]],
    [
      'that code finished later',
      [
        go,
        assistant(code, call('a', byCode)),
        user(result('a')),
        assistant({ type: 'code_execution_tool_result', tool_use_id: 'c1', content: {} }, say('done')),
        go,
      ],
    ],
    [
      'a toolset call',
      [go, assistant(call('a', { toolset_name: 'browser' })), user(result('a', { toolset_name: 'browser' }))],
    ],
    ['a block of tomorrow', [go, assistant({ type: 'hologram' }, say('look')), go]],
    ['a result of text and an image', [go, assistant(call('a')), user(result('a', { content: [say('x'), image] }))]],
    ['an error in words', [go, assistant(call('a')), user(result('a', { content: [say('x')], is_error: true }))]],
    ['a result without content', [go, assistant(call('a')), user({ type: 'tool_result', tool_use_id: 'a' })]],
  ])('%s', (_name, messages) => {
    expect(validateMessages(messages)).toBeUndefined()
  })
})

describe('histories that the API refuses', () => {
  test.each<[string, unknown, string, RegExp]>([
    ['no list', 'hi', 'messages', /list/],
    ['nothing', [], 'messages', /at least one/],
    ['no object', ['hi'], 'messages.0', /object/],
    ['a role of its own', [{ role: 'tool', content: 'x' }], 'messages.0.role', /user/],
    ['assistant first', [assistant(say('x')), go], 'messages.0.role', /first message/],
    ['system first', [{ role: 'system', content: 'x' }, go], 'messages.0.role', /first message/],
    ['no content', [{ role: 'user' }], 'messages.0.content', /string or a list/],
    ['an empty list of blocks', [user()], 'messages.0', /non-empty content/],
    ['an empty string', [{ role: 'user', content: '' }], 'messages.0', /non-empty/],
    ['empty text', [user(say(''))], 'messages.0.content.0', /non-empty/],
    ['white space', [go, assistant(say(' \n')), go], 'messages.1.content.0', /non-whitespace/],
    ['a block without type', [user({ text: 'x' })], 'messages.0.content.0', /type/],
    ['a call unanswered', [go, assistant(call('a')), go], 'messages.1', /without `tool_result`.*: a\./],
    ['a call at the very end', [go, assistant(call('a'))], 'messages.1', /without `tool_result`/],
    ['one of two unanswered', [go, assistant(call('a'), call('b')), user(result('a'))], 'messages.1', /: b\./],
    ['text before the result', [go, assistant(call('a')), user(say('x'), result('a'))], 'messages.1', /without/],
    [
      'a result one message late',
      [go, assistant(call('a')), go, assistant(say('x')), user(result('a'))],
      'messages.1',
      /without/,
    ],
    [
      'an unknown result',
      [go, assistant(say('x')), user(result('a'))],
      'messages.2.content.0',
      /unexpected `tool_use_id`/,
    ],
    ['a result at the start', [user(result('a'))], 'messages.0.content.0', /unexpected/],
    [
      'a repeated result',
      [go, assistant(call('a')), user(result('a'), result('a'))],
      'messages.2.content.1',
      /single result/,
    ],
    [
      'a repeated call id',
      [go, assistant(call('a')), user(result('a')), assistant(call('a')), user(result('a'))],
      'messages.3.content.0',
      /unique/,
    ],
    [
      'input that is no object',
      [go, assistant(call('a', { input: 'x' })), user(result('a'))],
      'messages.1.content.0.tool_use.input',
      /dictionary/,
    ],
    [
      'an id of odd characters',
      [go, assistant(call('a b')), user(result('a b'))],
      'messages.1.content.0.tool_use.id',
      /pattern/,
    ],
    [
      'a toolset forgotten',
      [go, assistant(call('a', { toolset_name: 'browser' })), user(result('a'))],
      'messages.2.content.0.tool_result.toolset_name',
      /browser/,
    ],
    [
      'text beside a result for code',
      [go, assistant(code, call('a', byCode)), user(result('a'), say('x'))],
      'messages.2',
      /only `tool_result`/,
    ],
    [
      'empty text in a result',
      [go, assistant(call('a')), user(result('a', { content: [say('')] }))],
      'messages.2.content.0.tool_result.content.0',
      /non-empty/,
    ],
    ...[undefined, '', []].map((content): [string, unknown, string, RegExp] => [
      `an error with ${JSON.stringify(content)} as its content`,
      [go, assistant(call('a')), user(result('a', { content, is_error: true }))],
      'messages.2.content.0.tool_result',
      /cannot be empty/,
    ]),
    [
      'an image in an error',
      [go, assistant(call('a')), user(result('a', { content: [say('x'), image], is_error: true }))],
      'messages.2.content.0.tool_result',
      /must be type 'text'/,
    ],
    ...[
      [{ type: 'document', id: 5 }, '.document.source'],
      [{ type: 'image', source: 'x' }, '.image.source'],
      [{ type: 'search_result', source: 'x', title: 'y' }, '.search_result.content'],
      [{ type: 'tool_reference' }, '.tool_reference.tool_name'],
      [{ type: 'invoice', id: 5 }, ''],
    ].map(([part, place]): [string, unknown, string, RegExp] => [
      `a result of ${JSON.stringify(part)}`,
      [go, assistant(call('a')), user(result('a', { content: [say('x'), part] }))],
      `messages.2.content.0.tool_result.content.1${String(place)}`,
      /required|expected tags/,
    ]),
    [
      'altered thinking',
      [go, assistant({ ...thought, thinking: 'ha' }, say('x')), go],
      'messages.1.content.0',
      /Invalid `signature`/,
    ],
    [
      'unsigned thinking',
      [go, assistant({ type: 'thinking', thinking: 'hm' }, say('x')), go],
      'messages.1.content.0.thinking.signature',
      /required/,
    ],
    [
      'altered redacted thinking',
      [go, assistant({ ...redacted, data: `${redacted.data}x` }, say('x')), go],
      'messages.1.content.0',
      /Invalid `data`/,
    ],
    ['thinking last', [go, assistant(say('x'), thought), go], 'messages.1.content.1', /final block/],
    ['thinking in a user message', [user(thought)], 'messages.0.content.0', /assistant/],
    ['a call in a user message', [user(call('a'))], 'messages.0.content.0', /assistant/],
    ['a result in an assistant message', [go, assistant(result('a')), go], 'messages.1.content.0', /user/],
    [
      'a server tool without result',
      [go, assistant(search, say('x')), go],
      'messages.1.content.0',
      /web_search|server_tool_use/,
    ],
    ['an MCP call without result', [go, assistant(mcp, say('x')), go], 'messages.1.content.0', /mcp_tool_use/],
    ['a server result without call', [go, assistant(found, say('x')), go], 'messages.1.content.0', /unexpected/],
    ['a prefill', [go, assistant(say('The answer is'))], 'messages.1', /prefill/],
    [
      'a system message between call and result',
      [go, assistant(call('a')), { role: 'system', content: 'x' }, user(result('a'))],
      'messages.1',
      /without/,
    ],
  ])('%s', (_name, messages, path, message) => {
    const problem = validateMessages(messages)
    expect(problem?.path).toBe(path)
    expect(problem?.message).toMatch(message)
    expect(problem?.message.startsWith(path)).toBe(true)
  })
})

describe('requests', () => {
  const valid = { model: 'm', max_tokens: 10, messages: [go] }
  const tool = { name: 'look_up', input_schema: { type: 'object' } }

  test.each<[string, object]>([
    ['the least', {}],
    ['tools, chosen by name', { tools: [tool], tool_choice: { type: 'tool', name: 'look_up' } }],
    ['a server tool', { tools: [tool, { type: 'web_search_20250305', name: 'web_search' }] }],
    ['an MCP toolset', { tools: [{ type: 'mcp_toolset', mcp_server_name: 'echo' }] }],
    ['a whole character of two halves', { system: 'a 🙂' }],
    ['the words for half a character', { system: String.raw`a \ud83d` }],
    ['thinking', { max_tokens: 2000, thinking: { type: 'enabled', budget_tokens: 1024 } }],
  ])('accepts %s', (_name, more) => {
    expect(validateRequest({ ...valid, ...more })).toBeUndefined()
  })

  test.each<[string, object, string]>([
    ['no model', { model: undefined }, 'model'],
    ['no max_tokens', { max_tokens: undefined }, 'max_tokens'],
    ['max_tokens 0', { max_tokens: 0 }, 'max_tokens'],
    ['max_tokens 1.5', { max_tokens: 1.5 }, 'max_tokens'],
    ['no messages', { messages: undefined }, 'messages'],
    ['stream "yes"', { stream: 'yes' }, 'stream'],
    ['system 7', { system: 7 }, 'system'],
    ['tools {}', { tools: {} }, 'tools'],
    ['two tools of a name', { tools: [tool, tool] }, 'tools'],
    ['a bad name', { tools: [{ ...tool, name: 'look up' }] }, 'tools.0.name'],
    ['a name of 129', { tools: [{ ...tool, name: 'x'.repeat(129) }] }, 'tools.0.name'],
    ['no schema', { tools: [{ name: 'x' }] }, 'tools.0.input_schema'],
    ['a schema of a string', { tools: [{ name: 'x', input_schema: { type: 'string' } }] }, 'tools.0.input_schema.type'],
    ['a choice of an unknown tool', { tools: [tool], tool_choice: { type: 'tool', name: 'x' } }, 'tool_choice'],
    ['a choice without tools', { tool_choice: { type: 'any' } }, 'tool_choice'],
    ['a choice of its own', { tools: [tool], tool_choice: { type: 'maybe' } }, 'tool_choice.type'],
    ['a small thinking budget', { thinking: { type: 'enabled', budget_tokens: 5 } }, 'thinking.enabled.budget_tokens'],
    ['a budget beyond max_tokens', { thinking: { type: 'enabled', budget_tokens: 1024 } }, 'max_tokens'],
    ['half a character', { system: 'a 🙂'.slice(0, 3) }, 'body'],
    ['half a character behind a backslash', { system: `\\${'a 🙂'.slice(2, 3)}` }, 'body'],
    ['a thread', { thread: { type: 'create' } }, 'thread'],
  ])('refuses %s', (_name, more, path) => {
    expect(validateRequest({ ...valid, ...more })?.path).toBe(path)
  })

  test('never throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(validateRequest(value)).toBeDefined()
        validateRequest({ ...valid, messages: value, tools: value, tool_choice: value })
        validateMessages([{ role: 'user', content: value }, { role: 'assistant', content: [value] }, value])
      }),
      { numRuns: 300 },
    )
  })
})
