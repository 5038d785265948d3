import type { AgentEvent, EventBody } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { AbstractChat, type ChatState, DefaultChatTransport, type UIMessage } from 'ai'
import * as fc from 'fast-check'
import { createServer, type Server } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { encodeStream } from '../src/index.ts'
import { readChatRequest, uiMessageStreamEncoder, type UiMessageStreamOptions } from '../src/ui-message-stream/index.ts'
import { type ForeignRun, foreignRun, type Shown, simulate } from './foreign-runs.ts'

/** The engine behind `useChat`, with plain fields for its state. */
class PlainChat extends AbstractChat<UIMessage> {}

function plainState(): ChatState<UIMessage> {
  const state: ChatState<UIMessage> = {
    status: 'ready',
    error: undefined,
    messages: [],
    pushMessage: (message) => {
      state.messages = [...state.messages, message]
    },
    popMessage: () => {
      state.messages = state.messages.slice(0, -1)
    },
    replaceMessage: (index, message) => {
      state.messages = state.messages.with(index, structuredClone(message))
    },
    snapshot: (thing) => structuredClone(thing),
  }
  return state
}

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

interface Chatted {
  readonly chat: PlainChat
  readonly parts: readonly Record<string, unknown>[]
  readonly body: unknown
  /** Every state of the assistant's message that a user interface would have rendered. */
  readonly seen: readonly string[]
}

async function chatWith(events: readonly AgentEvent[], options: UiMessageStreamOptions = {}): Promise<Chatted> {
  let body: unknown
  const encoder = uiMessageStreamEncoder(options)
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      body = JSON.parse(Buffer.concat(chunks).toString())
      response.writeHead(200, encoder.headers)
      const batches = (async function* () {
        for (let from = 0; from < events.length; from += 3) yield events.slice(from, from + 3)
      })()
      response.write(encoder.heartbeat())
      for await (const bytes of encodeStream(encoder, batches)) response.write(bytes)
      response.end()
    })()
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const state = plainState()
  const seen: string[] = []
  const { replaceMessage } = state
  state.replaceMessage = (index, message) => {
    seen.push(JSON.stringify(message.parts))
    replaceMessage(index, message)
  }
  const chat = new PlainChat({ state, transport: new DefaultChatTransport({ api: `http://127.0.0.1:${port}/` }) })
  await chat.sendMessage({ text: 'hi' })
  server.close()
  const parts: unknown = JSON.parse(JSON.stringify(chat.lastMessage?.parts ?? []))
  return { chat, parts: Array.isArray(parts) ? parts.filter(isRecord) : [], body, seen }
}

function expectedParts(shown: readonly Shown[]): object[] {
  return shown.map((each) => {
    if (each.kind !== 'tool') {
      return { type: each.kind === 'text' ? 'text' : 'reasoning', text: each.text, state: 'done' }
    }
    const { id: toolCallId, input, result, ok } = each
    const call = { type: 'tool-look_up', toolCallId, input }
    return ok
      ? { ...call, state: 'output-available', output: [{ type: 'text', text: result }] }
      : { ...call, state: 'output-error', errorText: result }
  })
}

const isContent = ({ type }: Record<string, unknown>): boolean => type !== 'step-start' && type !== 'data-tool-progress'

async function expectExact({ events, shown }: ForeignRun, options?: UiMessageStreamOptions): Promise<Chatted> {
  const chatted = await chatWith(events, options)
  expect(chatted.chat.error).toBeUndefined()
  expect(chatted.chat.status).toBe('ready')
  const content = chatted.parts.filter(isContent)
  expect(content).toHaveLength(shown.length)
  expect(content).toMatchObject(expectedParts(shown))
  return chatted
}

describe('AbstractChat with DefaultChatTransport', () => {
  it('ends ready with the exact parts of any run', async () => {
    await fc.assert(
      fc.asyncProperty(foreignRun, fc.constantFrom('data' as const, 'preliminary' as const), async (run, progress) => {
        await expectExact(run, { progress })
      }),
      { numRuns: 60 },
    )
  })

  const call = { do: 'call', eager: false } as const

  it('shows tool progress while the tool runs, as a part of its own or as preliminary output', async () => {
    const run = simulate([call])
    const data = await expectExact(run)
    const progress = {
      type: 'data-tool-progress',
      id: 'toolu_1',
      data: { toolName: 'look_up', progress: 1, total: 2, message: 'half\n' },
    }
    expect(data.parts).toMatchObject([{ type: 'step-start' }, { type: 'tool-look_up' }, progress])
    const preliminary = await expectExact(run, { progress: 'preliminary' })
    expect(preliminary.seen.some((parts) => parts.includes('"preliminary":true') && parts.includes('"total":2'))).toBe(
      true,
    )
    expect(preliminary.parts.at(-1)).toMatchObject({ output: [{ text: 'result of toolu_1\n' }] })
    expect(preliminary.parts.at(-1)?.['preliminary']).not.toBe(true)
  })

  it('drops a retracted part, though it was shown', async () => {
    const chatted = await expectExact(
      simulate([
        { do: 'say', kind: 'text', parts: ['kept, ', 'withdrawn'] },
        { do: 'call', eager: true },
        { do: 'retract', block: 0, offset: 6 },
        { do: 'say', kind: 'text', parts: ['then said'] },
      ]),
    )
    expect(chatted.seen.some((parts) => parts.includes('withdrawn'))).toBe(true)
    expect(chatted.parts.filter(isContent)).toMatchObject([{ type: 'text', text: 'kept, then said' }])
  })

  it('has a step for each turn that follows tool results', async () => {
    const { parts } = await expectExact(
      simulate([
        call,
        { do: 'turn', ok: true },
        call,
        { do: 'turn', ok: false },
        { do: 'say', kind: 'text', parts: ['so'] },
      ]),
    )
    expect(parts.filter(isContent).length + 3).toBe(parts.filter(({ type }) => type !== 'data-tool-progress').length)
  })

  it('tells of a failure, by the message that is meant for clients', async () => {
    const { events } = simulate([{ do: 'say', kind: 'text', parts: ['so far'] }])
    const failed: EventBody = {
      type: 'run.finished',
      outcome: 'failed',
      stopReason: null,
      usage: { input_tokens: 0, output_tokens: 0 },
      error: { code: 'overloaded', message: 'The model is overloaded', retryable: true },
    }
    const { chat, parts } = await chatWith([
      ...events.slice(0, -1),
      { ...failed, seq: events.length, runId: 'run', at: 1 },
    ])
    expect([chat.status, chat.error?.message]).toEqual(['error', 'The model is overloaded'])
    expect(parts.filter(isContent)).toMatchObject([{ type: 'text', text: 'so far', state: 'done' }])
  })

  it('retracts an earlier turn that had no tool results, such as one that paused', async () => {
    const { events } = simulate([
      { do: 'say', kind: 'text', parts: ['paused'] },
      { do: 'turn', ok: true },
      { do: 'say', kind: 'text', parts: ['went on'] },
    ])
    const head = { attempt: 1, runId: 'run', at: 1 }
    const retraction = {
      ...head,
      type: 'turn.retracted',
      turn: 1,
      fromBlock: 0,
      fromOffset: 0,
      reason: 'internal',
    } as const
    const { chat, parts } = await chatWith([...events.slice(0, -1), { ...retraction, seq: 1 }, ...events.slice(-1)])
    expect(chat.error).toBeUndefined()
    expect(parts.filter(isContent)).toMatchObject([{ type: 'text', text: 'went on' }])
  })

  it('ends in an error if text must be retracted that it can no longer remove', async () => {
    const { events } = simulate([
      { do: 'say', kind: 'text', parts: ['first'] },
      call,
      { do: 'turn', ok: true },
      { do: 'say', kind: 'text', parts: ['second'] },
    ])
    const retraction: AgentEvent = {
      type: 'turn.retracted',
      turn: 1,
      attempt: 1,
      fromBlock: 0,
      fromOffset: 0,
      reason: 'internal',
      seq: events.length,
      runId: 'run',
      at: 1,
    }
    const { chat } = await chatWith([
      ...events.slice(0, -1),
      retraction,
      { type: 'text.delta', turn: 3, attempt: 1, block: 0, text: 'third', seq: events.length + 1, runId: 'run', at: 1 },
    ])
    expect(chat.status).toBe('error')
    expect(JSON.stringify(chat.messages)).not.toContain('third')
  })

  it('ends in an error where text is retracted and the client has no resets', async () => {
    const run = simulate([
      { do: 'say', kind: 'text', parts: ['kept, ', 'withdrawn'] },
      { do: 'retract', block: 0, offset: 6 },
      { do: 'say', kind: 'text', parts: ['then said'] },
    ])
    const { chat } = await chatWith(run.events, { resets: false })
    expect(chat.error?.message).toBe('The answer was retracted. Please try again.')
    expect(JSON.stringify(chat.messages)).not.toContain('then said')
  })

  it('keeps a retracted thought and a retracted call, ended, where the client has no resets', async () => {
    const run = simulate([
      { do: 'say', kind: 'thinking', parts: ['first thought'] },
      { do: 'retract', block: 0, offset: 6 },
      { do: 'say', kind: 'thinking', parts: ['second thought'] },
      { do: 'say', kind: 'text', parts: ['so'] },
    ])
    const { chat, parts } = await chatWith(run.events, { resets: false })
    expect(chat.status).toBe('ready')
    expect(parts.filter(isContent).map(({ text, state }) => [text, state])).toMatchObject([
      ['first thought', 'done'],
      ['second thought', 'done'],
      ['so', 'done'],
    ])
  })

  it.each([
    ['interrupted', null],
    ['limit', 'max_tokens'],
    ['limit', 'pause_turn'],
    ['refused', 'refusal'],
  ] as const)('is ready after a run that was %s (%s)', async (outcome, stopReason) => {
    const { events } = simulate([{ do: 'say', kind: 'text', parts: ['so far'] }])
    const last: AgentEvent = {
      type: 'run.finished',
      outcome,
      stopReason,
      usage: { input_tokens: 1, output_tokens: 2 },
      seq: events.length,
      runId: 'run',
      at: 1,
    }
    const { chat } = await chatWith([...events.slice(0, -1), last])
    expect([chat.status, chat.error]).toEqual(['ready', undefined])
    expect(chat.lastMessage?.metadata).toEqual({
      runId: 'run',
      sessionId: 'thread',
      outcome,
      usage: { input_tokens: 1, output_tokens: 2 },
    })
  })

  it('takes a tool that no block has asked for, as of a loop that does not stream', async () => {
    const { events } = simulate([call])
    const bare = events.filter(
      ({ type }) => type !== 'tool.input' && type !== 'block.started' && type !== 'block.finished',
    )
    const { chat, parts } = await chatWith(bare)
    expect(chat.error).toBeUndefined()
    expect(parts.filter(isContent)).toMatchObject([
      { type: 'tool-look_up', state: 'output-available', input: { order: 1 } },
    ])
  })

  it('leaves out an input that is cut', async () => {
    const { events } = simulate([{ do: 'say', kind: 'text', parts: ['so'] }])
    const place = { turn: 1, attempt: 1, block: 1, runId: 'run', at: 1 }
    const cut: AgentEvent[] = [
      { type: 'tool.input', ...place, seq: 1, toolUseId: 'toolu_1', name: 'look_up', json: '{"a":' },
      { type: 'block.finished', ...place, seq: 2, kind: 'tool_use', length: 5, checksum: '' },
    ]
    const { chat, parts } = await chatWith([...events.slice(0, 4), ...cut, ...events.slice(4)])
    expect(chat.error).toBeUndefined()
    expect(parts.at(-1)).toMatchObject({ type: 'tool-look_up', state: 'input-streaming' })
  })
})

describe('readChatRequest', () => {
  it('reads what the transport posts, and gives back the conversation that it has shown', async () => {
    const run = simulate([
      { do: 'say', kind: 'text', parts: ['One moment.'] },
      { do: 'call', eager: false },
      { do: 'call', eager: false },
      { do: 'turn', ok: true },
      { do: 'say', kind: 'text', parts: ['Done.'] },
    ])
    const { chat, body } = await chatWith(run.events)
    expect(readChatRequest(body)).toEqual({
      sessionId: chat.id,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
      retraction: 'continue',
    })
    const { messages } = readChatRequest({ id: 'chat', messages: chat.messages })
    const result = (id: string): object => ({
      type: 'tool_result',
      tool_use_id: id,
      content: [{ type: 'text', text: `result of ${id}\n` }],
    })
    expect(messages).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'hi' }] },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'One moment.' },
          { type: 'tool_use', id: 'toolu_1', name: 'look_up', input: { order: 1 } },
          { type: 'tool_use', id: 'toolu_2', name: 'look_up', input: { order: 2 } },
        ],
      },
      { role: 'user', content: [result('toolu_1'), result('toolu_2')] },
      { role: 'assistant', content: [{ type: 'text', text: 'Done.' }] },
    ])
  })

  it('lets a client say that it can retract, and refuses another word', () => {
    const body = { id: 'chat', messages: [{ role: 'user', parts: [{ type: 'text', text: 'hi' }] }] }
    expect(readChatRequest({ ...body, retraction: 'retract' })).toMatchObject({ retraction: 'retract' })
    expect(() => readChatRequest({ ...body, retraction: 'never' })).toThrow(
      expect.objectContaining({ code: 'invalid_input', path: 'retraction' }),
    )
  })

  it('takes files, failed and dynamic tools, and leaves out what the API would refuse', () => {
    const parts = [
      { type: 'text', text: ' ' },
      { type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,AAAA' },
      { type: 'file', mediaType: 'application/pdf', url: 'https://example.com/a.pdf' },
      { type: 'file', mediaType: 'video/mp4', url: 'https://example.com/a.mp4' },
      { type: 'file', mediaType: 'image/png', url: 'javascript:alert(1)' },
      { type: 'file' },
      'nonsense',
    ]
    const tools = [
      {
        type: 'dynamic-tool',
        toolName: 'find',
        toolCallId: 'a',
        state: 'output-error',
        input: { q: 1 },
        errorText: 'no',
      },
      { type: 'tool-find', toolCallId: 'b', state: 'input-streaming', input: {} },
      { type: 'tool-find', toolCallId: 'c', state: 'output-available', preliminary: true, output: 1 },
      { type: 'tool-find', toolCallId: 'd', state: 'output-available', input: null, output: { found: 1 } },
      { type: 'reasoning', text: 'hm' },
    ]
    const { messages } = readChatRequest({
      id: 'chat',
      messages: [
        { role: 'user', parts },
        { role: 'assistant', parts: tools },
      ],
    })
    expect(messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
          { type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' } },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'a', name: 'find', input: { q: 1 } },
          { type: 'tool_use', id: 'd', name: 'find', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', content: 'no', is_error: true },
          { type: 'tool_result', tool_use_id: 'd', content: '{"found":1}' },
        ],
      },
    ])
  })

  it.each<[unknown, string | undefined]>([
    [null, undefined],
    [{ messages: [] }, 'id'],
    [{ id: 'x' }, 'messages'],
    [{ id: 'x', messages: [] }, 'messages'],
    [{ id: 'x', messages: [{ role: 'system', parts: [] }] }, 'messages[0]'],
    [{ id: 'x', messages: [{ role: 'user' }] }, 'messages[0]'],
    [{ id: 'x', messages: ['y'] }, 'messages[0]'],
  ])('refuses %j', (body, path) => {
    expect(() => readChatRequest(body)).toThrow(expect.objectContaining({ code: 'invalid_input', path }))
  })
})
