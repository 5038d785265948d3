import {
  type ContentBlock,
  redactedData,
  text,
  thinking,
  toolUse,
  type Turn,
  validateMessages,
} from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { type AgentEvent, createAgent, defineTool, type RunInput, type RunResult } from '../../src/index.ts'
import { claudeFor, eventsOf, only, question, request } from '../support/scripted.ts'
import { beforeStopOf, beforeStopReason, cuttingClient, type SentEvent } from './cutting-client.ts'
import { historyText, screenOf } from './screen.ts'

const inputSchema = { jsonSchema: { type: 'object' } }
const call = (id: string, input: Readonly<Record<string, unknown>> = { cents: 5 }): ContentBlock =>
  toolUse('charge', input, { id: `toolu_${id}` })
const search = (id: string): ContentBlock => ({
  type: 'server_tool_use',
  id: `srvtoolu_${id}`,
  name: 'web_search',
  input: { query: 'x' },
})
const found = (id: string): ContentBlock => ({
  type: 'web_search_tool_result',
  tool_use_id: `srvtoolu_${id}`,
  content: [],
})

function signed(block: ContentBlock): ContentBlock {
  return block.type === 'thinking' ? thinking(String(block['thinking'])) : block
}

interface Broken {
  readonly events: readonly AgentEvent[]
  readonly result: RunResult
  /** The ids of the calls that ran. */
  readonly ran: readonly string[]
  /** The first answer as history holds it. */
  readonly kept: readonly string[]
  readonly salvaged: boolean
}

/** Breaks the first stream of a conversation there. */
async function breakAt(
  content: readonly ContentBlock[],
  isCut: (event: SentEvent) => boolean,
  input: Partial<RunInput> = {},
): Promise<Broken> {
  const claude = await claudeFor((asked): Turn => {
    if (asked.toolResults.length > 0) return { content: [text('Done.')] }
    // The second time it is signed, or the API would not take it back.
    return {
      content: asked.attempt === 1 ? content : content.map(signed),
    }
  })
  const ran: string[] = []
  const charge = defineTool({
    name: 'charge',
    description: '',
    inputSchema,
    run: (_, { toolUseId }) => (ran.push(toolUseId), 'charged'),
  })
  const agent = createAgent({
    client: cuttingClient(claude, isCut),
    request,
    tools: [charge],
    recovery: { backoff: 0 },
  })
  const run = agent.run({ messages: question, mode: 'stream', ...input })
  const events = await eventsOf(run)
  const result = await run.result
  expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }])).toBeUndefined()
  expect(screenOf(events).text()).toBe(historyText(result.newMessages))
  const [first] = only(events, 'turn.finished')
  return {
    events,
    result,
    ran,
    kept: first?.content.map(({ type }) => type) ?? [],
    salvaged: first?.salvaged === true && only(events, 'fallback')[0]?.to === 'salvage',
  }
}

describe('a broken stream is salvaged', () => {
  const cases: readonly (readonly [
    string,
    readonly ContentBlock[],
    (event: SentEvent) => boolean,
    { readonly kept: readonly string[]; readonly ran: readonly string[] },
  ])[] = [
    ['with a whole call', [text('I charge.'), call('1')], beforeStopReason, { kept: ['text', 'tool_use'], ran: ['1'] }],
    ['with the first of two calls', [call('1'), call('2')], beforeStopOf(1), { kept: ['tool_use'], ran: ['1'] }],
    [
      'with whole text behind the last call',
      [call('1'), text('Wait.'), text('And more')],
      beforeStopOf(2),
      { kept: ['tool_use', 'text'], ran: ['1'] },
    ],
    [
      'with signed thinking in front',
      [thinking('Let me see.'), { type: 'redacted_thinking', data: redactedData('x') }, call('1')],
      beforeStopReason,
      { kept: ['thinking', 'redacted_thinking', 'tool_use'], ran: ['1'] },
    ],
    [
      'without thinking behind the call, which the API refuses there',
      [call('1'), thinking('And now?'), text('Hm')],
      beforeStopOf(2),
      { kept: ['tool_use'], ran: ['1'] },
    ],
    [
      'with a call without arguments, where another block followed',
      [call('1', {}), text('Wait')],
      beforeStopOf(1),
      { kept: ['tool_use'], ran: ['1'] },
    ],
    [
      'with a server tool that has its result',
      [search('1'), found('1'), call('1')],
      beforeStopReason,
      { kept: ['server_tool_use', 'web_search_tool_result', 'tool_use'], ran: ['1'] },
    ],
    [
      'with another model in front of the call',
      [{ type: 'fallback', from: 'a', to: 'b' }, call('1')],
      beforeStopReason,
      { kept: ['fallback', 'tool_use'], ran: ['1'] },
    ],
  ]

  it.each(cases)('%s', async (_name, content, isCut, { kept, ran }) => {
    const broken = await breakAt(content, isCut)
    expect(broken.salvaged).toBe(true)
    expect(broken.kept).toEqual(kept)
    expect(broken.ran).toEqual(ran.map((id) => `toolu_${id}`))
    expect(broken.result).toMatchObject({ outcome: 'completed', text: 'Done.' })
    expect(only(broken.events, 'turn.started').map(({ attempt }) => attempt)).toEqual([1, 1])
    // A started call pins its block: nothing of it is withdrawn.
    const started = broken.events.findIndex(({ type }) => type === 'tool.started')
    expect(only(broken.events.slice(started), 'turn.retracted')).toEqual([])
  })

  it('without the unfinished text behind its call, which is withdrawn', async () => {
    const { events, kept } = await breakAt([call('1'), text('This takes')], beforeStopOf(1))
    expect(kept).toEqual(['tool_use'])
    expect(only(events, 'turn.retracted')).toMatchObject([{ turn: 1, fromBlock: 1, fromOffset: 0 }])
  })

  it('with that text, where nothing can withdraw it', async () => {
    const { events, kept } = await breakAt([call('1'), text('This takes')], beforeStopOf(1), { retraction: 'continue' })
    expect(kept).toEqual(['tool_use', 'text'])
    expect(only(events, 'turn.retracted')).toEqual([])
  })
})

describe('a broken stream is not salvaged, and asked again', () => {
  const cases: readonly (readonly [string, readonly ContentBlock[], (event: SentEvent) => boolean])[] = [
    ['without a call', [text('Hello there.'), text('More')], beforeStopOf(1)],
    ['where its only call has not stopped', [text('I charge.'), call('1')], beforeStopOf(1)],
    [
      'where a call without arguments came last: it may have been cut',
      [text('I charge.'), call('1', {})],
      beforeStopReason,
    ],
    [
      'with unsigned thinking',
      [{ type: 'thinking', thinking: 'Let me see.', signature: '' }, call('1')],
      beforeStopReason,
    ],
    ['with a server tool that waits for its result', [search('1'), call('1')], beforeStopReason],
    [
      'with a call that code on the server made',
      [
        { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} },
        toolUse(
          'charge',
          { by: 'code' },
          { id: 'toolu_1', caller: { type: 'code_execution_20260120', tool_id: 'srvtoolu_1' } },
        ),
      ],
      beforeStopReason,
    ],
    [
      'with a call that code of an earlier turn made',
      [
        toolUse(
          'charge',
          { by: 'code' },
          { id: 'toolu_1', caller: { type: 'code_execution_20260120', tool_id: 'srvtoolu_0' } },
        ),
      ],
      beforeStopReason,
    ],
    [
      'where another model took over behind the call',
      [call('1'), { type: 'fallback', from: 'a', to: 'b' }, text('Hm')],
      beforeStopOf(2),
    ],
  ]

  it.each(cases)('%s', async (_name, content, isCut) => {
    const { events, salvaged } = await breakAt(content, isCut)
    expect(salvaged).toBe(false)
    expect(only(events, 'fallback')[0]).toMatchObject({ from: 'stream', to: 'stream', reason: 'connection_lost' })
    expect(only(events, 'turn.started')[1]).toMatchObject({ turn: 1, attempt: 2 })
  })

  it('where the JSON of its call is none', async () => {
    const claude = await claudeFor(
      [{ content: [text('I charge.'), call('1')], chunking: { sizes: [4] } }, { content: [text('Done.')] }],
      {
        faults: [{ kind: 'tool-json-cut', piece: 2, times: 1 }],
      },
    )
    const ran: unknown[] = []
    const charge = defineTool({ name: 'charge', description: '', inputSchema, run: (input) => ran.push(input) })
    const agent = createAgent({
      client: cuttingClient(claude, beforeStopReason),
      request,
      tools: [charge],
      recovery: { backoff: 0 },
    })
    const events = await eventsOf(agent.run({ messages: question }))
    expect(only(events, 'fallback').map(({ to }) => to)).toEqual(['stream'])
    expect(ran).toEqual([{ cents: 5 }])
  })
})
