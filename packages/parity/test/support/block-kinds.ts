import type { KnownContentBlockType } from '@millrace/core'
import { type ContentBlock, redactedData, sign, text, thinking, toolUse, type Turn } from '@millrace/testing'

const citation = {
  type: 'web_search_result_location',
  cited_text: 'Bergen: rain, 9 degrees',
  url: 'https://weather.example/bergen',
  title: 'Bergen',
  encrypted_index: 'ZW5jcnlwdGVk',
}

const done: Turn = { content: [text('That is done.')] }

/** A server tool with its result; the type of the result is its kind. */
function serverPair(name: string, result: string, content: unknown): ContentBlock[] {
  const id = `srvtoolu_${name}`
  return [
    text('I look.'),
    { type: 'server_tool_use', id, name, input: { query: 'rain in Bergen' }, caller: { type: 'direct' } },
    { type: result, tool_use_id: id, content },
    text('It rains.', [citation]),
  ]
}

const mcp: ContentBlock[] = [
  { type: 'mcp_tool_use', id: 'mcptoolu_1', name: 'echo', server_name: 'echo', input: { message: 'hé 👩🏽‍🚀' } },
  { type: 'mcp_tool_result', tool_use_id: 'mcptoolu_1', is_error: false, content: [{ type: 'text', text: 'hé' }] },
  text('It echoes.'),
]

/** A conversation for every kind of content block that the SDK knows: one that is missing here does not compile. */
export const conversationOfKind: Readonly<Record<KnownContentBlockType, readonly Turn[]>> = {
  text: [{ content: [text('保存しました ✅ – bis später, Zoë 👋🏽!'), text('And more.', [citation, citation])] }],
  thinking: [{ content: [thinking('A tool knows.'), thinking(''), toolUse('look_up', { order: '17' })] }, done],
  redacted_thinking: [
    { content: [{ type: 'redacted_thinking', data: redactedData('x') }, toolUse('look_up', { order: '17' })] },
    done,
  ],
  tool_use: [
    { content: [text('Both.'), toolUse('look_up', { order: '17', deep: [1, { a: null }] }), toolUse('charge', {})] },
    { content: [thinking('And again.'), toolUse('charge', { cents: 500 }), text('A moment.')] },
    done,
  ],
  server_tool_use: [
    { content: serverPair('web_search', 'web_search_tool_result', []).slice(0, 2), stopReason: 'pause_turn' },
    { content: [...serverPair('web_search', 'web_search_tool_result', []).slice(2), toolUse('look_up', {})] },
    done,
  ],
  web_search_tool_result: [
    {
      content: serverPair('web_search', 'web_search_tool_result', [
        { type: 'web_search_result', url: citation.url, title: 'Bergen', encrypted_content: 'ZW5j', page_age: null },
      ]),
    },
  ],
  web_fetch_tool_result: [
    {
      content: serverPair('web_fetch', 'web_fetch_tool_result', {
        type: 'web_fetch_result',
        url: citation.url,
        content: { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Rain.' } },
      }),
    },
  ],
  code_execution_tool_result: [
    {
      content: serverPair('code_execution', 'code_execution_tool_result', {
        type: 'code_execution_result',
        stdout: '1\n',
        stderr: '',
        return_code: 0,
        content: [],
      }),
      container: { id: 'container_1', expires_at: '2030-01-01T00:00:00Z', skills: null },
    },
  ],
  bash_code_execution_tool_result: [
    {
      content: serverPair('bash_code_execution', 'bash_code_execution_tool_result', {
        type: 'bash_code_execution_result',
        stdout: 'ok',
      }),
    },
  ],
  text_editor_code_execution_tool_result: [
    {
      content: serverPair('text_editor_code_execution', 'text_editor_code_execution_tool_result', {
        type: 'text_editor_code_execution_view_result',
        content: 'a\nb',
      }),
    },
  ],
  tool_search_tool_result: [
    {
      content: serverPair('tool_search_tool_bm25', 'tool_search_tool_result', {
        type: 'tool_search_tool_search_result',
        tool_references: [{ type: 'tool_reference', tool_name: 'look_up' }],
      }),
    },
  ],
  advisor_tool_result: [
    { content: serverPair('advisor', 'advisor_tool_result', { type: 'advisor_result', text: 'Go.' }) },
  ],
  mcp_tool_use: [{ content: [...mcp, toolUse('look_up', { after: 'mcp' })] }, done],
  mcp_tool_result: [{ content: mcp }],
  mcp_tool_listing: [
    { content: [{ type: 'mcp_tool_listing', server_name: 'echo', tools: [{ name: 'echo' }] }, text('Listed.')] },
  ],
  container_upload: [{ content: [{ type: 'container_upload', file_id: 'file_1' }, text('There it is.')] }],
  fallback: [{ content: [{ type: 'fallback', from: 'claude-a', to: 'claude-b' }, text('Another model.')] }],
  compaction: [
    {
      content: [{ type: 'compaction', content: 'So far: rain.', encrypted_content: 'ZW5j' }],
      stopReason: 'compaction',
    },
    { content: [text('On we go.'), toolUse('look_up', {})] },
    done,
  ],
}

/** Ends of a run that are no plain end of a turn, and a block that nobody knows. */
export const otherConversations: Readonly<Record<string, readonly Turn[]>> = {
  'an unknown block': [
    { content: [{ type: 'hologram', beam: { angle: 3 }, parts: ['a', null] }, toolUse('look_up', { order: '1' })] },
    done,
  ],
  'thinking without text and a signature of its own': [
    { content: [{ type: 'thinking', thinking: '', signature: sign('') }, toolUse('charge', { cents: 1 })] },
    done,
  ],
  max_tokens: [{ content: [text('Half a')], stopReason: 'max_tokens' }],
  'max_tokens in a call': [{ content: [text('Now'), toolUse('charge', { cents: 1 })], stopReason: 'max_tokens' }],
  'a stop sequence': [{ content: [text('Until')], stopReason: 'stop_sequence', stopSequence: 'END' }],
  'a refusal': [
    { content: [toolUse('look_up', {})] },
    { content: [text('I must')], stopReason: 'refusal', stopDetails: { category: 'cyber', explanation: null } },
  ],
  'a full context window': [{ content: [text('Too')], stopReason: 'model_context_window_exceeded' }],
  'a stop reason of tomorrow': [{ content: [text('Done')], stopReason: 'a_reason_of_tomorrow' }],
  'blank text and trailing thinking': [
    { content: [text(' '), thinking('So.'), toolUse('look_up', {})] },
    { content: [text('Well.'), thinking('Was that all?')] },
  ],
  'an empty answer': [{ content: [toolUse('look_up', {})] }, { content: [] }],
  'a container that is carried on': [
    { content: [toolUse('look_up', {})], container: { id: 'container_1', expires_at: '2030-01-01T00:00:00Z' } },
    done,
  ],
}
