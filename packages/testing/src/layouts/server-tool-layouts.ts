import type { Conversation } from '../script/conversation.ts'
import { contentBlocks } from '../script/continuation.ts'
import { isString } from '../kit/guards.ts'
import type { Layout, LayoutStep, LayoutTool } from './layout.ts'
import { text, toolUse, type ContentBlock } from '../script/turn.ts'

const saveNote: LayoutTool = {
  name: 'save_note',
  description: 'Has a side effect that must happen once: save_note.',
  inputSchema: { type: 'object', properties: { body: { type: 'string' } }, required: ['body'] },
  readOnly: false,
  result: 'saved as note 3',
}

const save = toolUse('save_note', { body: 'It rains in Bergen.' })

const citation = {
  type: 'web_search_result_location',
  cited_text: 'Bergen: rain, 9 degrees',
  url: 'https://weather.example/bergen',
  title: 'Bergen',
  encrypted_index: 'ZW5jcnlwdGVk',
}

function search(id: string, query: string): ContentBlock {
  return { type: 'server_tool_use', id, name: 'web_search', input: { query } }
}

function searchResult(id: string): ContentBlock {
  const { url, title } = citation
  const found = { type: 'web_search_result', url, title, encrypted_content: 'ZW5j', page_age: null }
  return { type: 'web_search_tool_result', tool_use_id: id, content: [found] }
}

function hasResult(conversation: Conversation): boolean {
  return conversation.resultsOf('save_note').length > 0
}

/**
 * Returns the id of the second search, with which the first turn pauses, even if the answer to it was cut off later.
 */
function secondSearch(conversation: Conversation): string | undefined {
  const searches = conversation.messages
    .flatMap((message) => (message.role === 'assistant' ? contentBlocks(message) : []))
    .filter((block) => block.type === 'server_tool_use')
  const id = searches.at(-1)?.id
  return isString(id) && id.startsWith('srvtoolu_second') ? id : undefined
}

const webSearch: Layout = {
  id: 'web-search',
  description:
    'a server tool with its result, then one that is pending when the turn pauses, then a tool with a side effect',
  question: 'Note the weather of Bergen.',
  tools: [saveNote],
  next(conversation): LayoutStep {
    if (hasResult(conversation)) {
      return {
        step: 'final',
        isFinal: true,
        turns: [{ content: [text('It rains in Bergen, and you have a note of it.', [citation])] }],
      }
    }
    const pending = secondSearch(conversation)
    if (pending !== undefined) {
      const content = [searchResult(pending), text('It rains there.', [citation]), save]
      return { step: 'found', isFinal: false, turns: [{ content }] }
    }
    const first = `srvtoolu_first_${conversation.attempt}`
    const content = [
      text('I search for it.'),
      search(first, 'Bergen'),
      searchResult(first),
      text('That is the town; now its weather.'),
      search(`srvtoolu_second_${conversation.attempt}`, 'Bergen weather'),
    ]
    return { step: 'search', isFinal: false, turns: [{ content, stopReason: 'pause_turn' }] }
  },
}

const mcpConnector: Layout = {
  id: 'mcp-connector',
  description: 'an MCP connector call with its result, then a tool with a side effect',
  question: 'Ask the station and note it.',
  tools: [saveNote],
  next(conversation): LayoutStep {
    if (hasResult(conversation)) {
      return { step: 'final', isFinal: true, turns: [{ content: [text('The station says rain; it is noted.')] }] }
    }
    const id = `mcptoolu_station_${conversation.attempt}`
    const content = [
      text('I ask the station.'),
      { type: 'mcp_tool_use', id, name: 'read_station', server_name: 'stations', input: { station: 'Bergen' } },
      {
        type: 'mcp_tool_result',
        tool_use_id: id,
        is_error: false,
        content: [{ type: 'text', text: 'rain, 9 degrees' }],
      },
      text('Rain, 9 degrees. I note it.'),
      save,
    ]
    return { step: 'ask', isFinal: false, turns: [{ content }] }
  },
}

/** The layouts in which Anthropic executes a tool. */
export const serverToolLayouts: readonly Layout[] = [webSearch, mcpConnector]
