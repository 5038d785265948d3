import { type ContentBlock, text, toolUse, type Turn, validateMessages } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { type AgentEvent, createAgent, type RetryAfterServerTools, type RunResult } from '../../src/index.ts'
import { claudeFor, eventsOf, only, question, request } from '../support/scripted.ts'
import { beforeStopOf, cuttingClient } from './cutting-client.ts'
import { historyText, screenOf } from './screen.ts'

const tools: Readonly<Record<string, readonly [call: ContentBlock, result: ContentBlock]>> = {
  search: [
    { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'x' } },
    { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] },
  ],
  fetch: [
    { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_fetch', input: { url: 'x' } },
    { type: 'web_fetch_tool_result', tool_use_id: 'srvtoolu_1', content: { type: 'web_fetch_result' } },
  ],
  code: [
    { type: 'server_tool_use', id: 'srvtoolu_1', name: 'code_execution', input: { code: 'x' } },
    { type: 'code_execution_tool_result', tool_use_id: 'srvtoolu_1', content: { type: 'code_execution_result' } },
  ],
  mcp: [
    { type: 'mcp_tool_use', id: 'mcptoolu_1', name: 'book', server_name: 'x', input: {} },
    { type: 'mcp_tool_result', tool_use_id: 'mcptoolu_1', is_error: false, content: [] },
  ],
}

/** What came of a turn that broke: asked again, continued from what is whole, or given up. */
type End = 'again' | 'continued' | 'failed'

interface Broken {
  readonly end: End
  readonly result: RunResult
  readonly events: readonly AgentEvent[]
}

/** Breaks a turn with a server tool: in front of the tool's result, or in the text behind it. */
async function breakTurn(
  tool: string,
  isPending: boolean,
  retryAfterServerTools?: RetryAfterServerTools,
): Promise<Broken> {
  const [call, result] = tools[tool] ?? []
  if (call === undefined || result === undefined) throw new Error(tool)
  const turn: Turn = { content: [text('One moment.'), call, result, text('Here it is.')] }
  const claude = await claudeFor((asked) => asked.continued(turn))
  const agent = createAgent({
    client: cuttingClient(claude, beforeStopOf(isPending ? 1 : 3)),
    request,
    recovery: { backoff: 0, ...(retryAfterServerTools !== undefined && { retryAfterServerTools }) },
  })
  const run = agent.run({ messages: question, mode: 'stream' })
  const events = await eventsOf(run)
  const ended = await run.result
  expect(validateMessages([...ended.messages, { role: 'user', content: 'Next' }])).toBeUndefined()
  expect(screenOf(events).text()).toBe(historyText(ended.newMessages))
  const [fallback] = only(events, 'fallback')
  return {
    end: ended.outcome === 'failed' ? 'failed' : fallback?.to === 'continue' ? 'continued' : 'again',
    result: ended,
    events,
  }
}

describe('a turn that broke after a server tool', () => {
  const byName: RetryAfterServerTools = (names) =>
    names.every((name) => name === 'mcp:book' || name === 'code_execution')
  const throws: RetryAfterServerTools = () => {
    throw new Error('cannot say')
  }
  it.each<[tool: string, state: 'pending' | 'finished', policy: RetryAfterServerTools | undefined, end: End]>([
    ['search', 'pending', undefined, 'again'],
    ['search', 'finished', undefined, 'again'],
    ['fetch', 'pending', 'reads', 'again'],
    ['fetch', 'finished', 'reads', 'again'],
    ['code', 'pending', undefined, 'failed'],
    ['code', 'finished', undefined, 'continued'],
    ['mcp', 'pending', undefined, 'failed'],
    ['mcp', 'finished', undefined, 'continued'],
    ['search', 'pending', 'never', 'failed'],
    ['search', 'finished', 'never', 'continued'],
    ['code', 'pending', 'always', 'again'],
    ['mcp', 'finished', 'always', 'again'],
    ['mcp', 'pending', byName, 'again'],
    ['code', 'finished', byName, 'again'],
    ['search', 'pending', byName, 'failed'],
    ['search', 'finished', byName, 'continued'],
    ['search', 'pending', throws, 'failed'],
  ])('%s, %s, with %s', async (tool, state, policy, end) => {
    const broken = await breakTurn(tool, state === 'pending', policy)
    expect(broken.end).toBe(end)
    expect(broken.result.error?.code).toBe(end === 'failed' ? 'server_tool_outcome_unknown' : undefined)
    expect(broken.result.text.endsWith('Here it is.')).toBe(end !== 'failed')
  })

  it('is asked again with whatever policy where none had run', async () => {
    const claude = await claudeFor([{ content: [text('Hello there')] }])
    const agent = createAgent({
      client: cuttingClient(claude, beforeStopOf(0)),
      request,
      recovery: { backoff: 0, retryAfterServerTools: 'never' },
    })
    expect((await agent.run({ messages: question }).result).outcome).toBe('completed')
  })

  it('and made a call, is salvaged: nothing is repeated', async () => {
    const [call, result] = tools['code'] ?? []
    if (call === undefined || result === undefined) throw new Error('code')
    const claude = await claudeFor([
      { content: [call, result, toolUse('none', { n: 1 }, { id: 'toolu_1' }), text('Wait.')] },
      { content: [text('Done.')] },
    ])
    const agent = createAgent({ client: cuttingClient(claude, beforeStopOf(3)), request, recovery: { backoff: 0 } })
    const run = agent.run({ messages: question })
    const events = await eventsOf(run)
    expect(only(events, 'fallback').map(({ to }) => to)).toEqual(['salvage'])
    expect((await run.result).outcome).toBe('completed')
  })
})
