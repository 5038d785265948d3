import { HttpAgent, verifyEvents } from '@ag-ui/client'
import { type BaseEvent, EventType } from '@ag-ui/core'
import { memorySessionStore } from '@millrace/core/memory'
import { text, thinking, toolUse } from '@millrace/testing'
import { EventSource } from 'eventsource'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { from, lastValueFrom, toArray } from 'rxjs'
import { requireProgram } from '@millrace/config/programs'
import { describe, expect, test } from 'vitest'
import { adapters, type Mounted } from './support/adapters.ts'
import { orderText, question, serveAgent, type ServeOptions } from './support/agents.ts'
import { chat6Against, chatAgainst } from './support/chat.ts'

const answer = orderText.slice('One moment. '.length)
const curl = requireProgram('curl')

/** What `verifyEvents` does not look at: a terminal event, results of known calls, ids used once, deltas after a snapshot. */
function unverifiedProblems(events: readonly BaseEvent[]): string[] {
  const problems: string[] = []
  if (!['RUN_FINISHED', 'RUN_ERROR'].includes(events.at(-1)?.type ?? '')) problems.push('no terminal event')
  const opened = new Set<unknown>()
  const calls = new Set<unknown>()
  const activities = new Set<unknown>()
  for (const event of events) {
    const { messageId, toolCallId }: Record<string, unknown> = { ...event }
    switch (event.type) {
      case EventType.TEXT_MESSAGE_START:
        if (opened.has(messageId)) problems.push(`${String(messageId)} is opened again`)
        opened.add(messageId)
        break
      case EventType.TOOL_CALL_START:
        calls.add(toolCallId)
        break
      case EventType.TOOL_CALL_RESULT:
        if (!calls.delete(toolCallId)) problems.push(`a result of ${String(toolCallId)}, which is not open`)
        break
      case EventType.ACTIVITY_SNAPSHOT:
        activities.add(messageId)
        break
      case EventType.ACTIVITY_DELTA:
        if (!activities.has(messageId)) problems.push(`a delta of ${String(messageId)} before its snapshot`)
        break
      default:
    }
  }
  return problems
}

/** The first stream dies in the middle of its text; what comes then says something else. */
const retracted: ServeOptions = {
  script: ({ attempt }) => ({ content: [text(attempt === 1 ? 'The answer is forty-one, I think.' : 'It is 42.')] }),
  claude: { faults: [{ kind: 'destroy', at: { event: 6 }, attempt: 1 }] },
}

/** Streams that die while something is shown that a client which cannot retract keeps. */
const broken: Readonly<Record<string, ServeOptions>> = {
  'a break in a text': {
    script: ({ attempt }) => ({ content: [text(attempt === 1 ? 'The answer, I think, is this. ' : 'It is 42.')] }),
    claude: { faults: [{ kind: 'destroy', at: { event: 6 }, attempt: 1 }] },
  },
  'a break in a thought': {
    script: ({ attempt }) => ({
      content: [thinking(attempt === 1 ? 'Is it forty-one, I wonder?' : 'No.'), text('It is 42.')],
    }),
    claude: { faults: [{ kind: 'destroy', at: { event: 5 }, attempt: 1 }] },
  },
  'a break in the input of a call': {
    script: ({ turn, attempt }) => ({
      content: turn === 2 ? [text('It is 42.')] : [toolUse('look_up', { id: attempt === 1 ? 123_456_789 : 7 })],
    }),
    claude: { chunking: { sizes: [64] }, faults: [{ kind: 'destroy', at: { event: 5 }, turn: 1, attempt: 1 }] },
  },
}

describe.each(adapters)('$name', (adapter) => {
  async function mount(options?: ServeOptions): Promise<Mounted> {
    const { handler } = await serveAgent(options)
    return adapter.mount(handler)
  }

  test('the engine of useChat ends ready, with exactly these parts', async () => {
    const { url, fetch } = await mount()
    const { chat, seen } = chatAgainst(`${url}/ui-message-stream`, fetch)
    await chat.sendMessage({ text: 'Where is order 7?' })
    expect(chat.status).toBe('ready')
    expect(chat.error).toBeUndefined()
    expect(JSON.parse(JSON.stringify(chat.lastMessage?.parts))).toEqual([
      { type: 'step-start' },
      expect.objectContaining({ type: 'reasoning', text: 'I look it up.', state: 'done' }),
      { type: 'text', text: 'One moment. ', state: 'done' },
      {
        type: 'tool-look_up',
        toolCallId: 'toolu_order',
        state: 'output-available',
        input: { id: 7 },
        output: 'on its way',
      },
      expect.objectContaining({ type: 'data-tool-progress' }),
      { type: 'step-start' },
      { type: 'text', text: answer, state: 'done' },
    ])
    expect(seen.some((parts) => parts.includes('half way'))).toBe(true)
  })

  test('the engine of useChat drops what was retracted, where it says that it can', async () => {
    const { url, fetch } = await mount(retracted)
    const { chat, seen } = chatAgainst(`${url}/ui-message-stream`, fetch, { body: { retraction: 'retract' } })
    await chat.sendMessage({ text: 'What is the answer?' })
    expect(chat.status).toBe('ready')
    expect(chat.lastMessage?.parts.filter(({ type }) => type === 'text')).toMatchObject([{ text: 'It is 42.' }])
    expect(seen.some((parts) => parts.includes('The answer'))).toBe(true)
  })

  test.each(Object.entries(broken))(
    'useChat of ai 6 and 7 goes on after %s, without a retraction',
    async (_, options) => {
      for (const against of [chat6Against, chatAgainst]) {
        const { url, fetch } = await mount(options)
        const { chat } = against(`${url}/ui-message-stream`, fetch)
        await chat.sendMessage({ text: 'What is the answer?' })
        expect(chat.error).toBeUndefined()
        expect(chat.status).toBe('ready')
        const parts: readonly { readonly type: string; readonly text?: string }[] = chat.lastMessage?.parts ?? []
        const texts = parts.filter(({ type }) => type === 'text').map(({ text: said }) => said)
        expect(texts.join('')).toMatch(/It is 42\.$/)
        expect(JSON.stringify(parts)).not.toContain('"streaming"')
      }
    },
  )

  test('an AG-UI client gets the messages, and a stream that keeps the rules', async () => {
    const { url, fetch } = await mount()
    const bodies: Promise<string>[] = []
    const agent = new HttpAgent({
      url: `${url}/ag-ui`,
      threadId: 'thread',
      initialMessages: [{ id: 'u1', ...question }],
      fetch: async (input, init) => {
        const response = await fetch(input, init)
        bodies.push(response.clone().text())
        return response
      },
    })
    const { newMessages } = await agent.runAgent({ runId: 'their-run' })
    expect(newMessages.filter(({ role }) => role === 'assistant' || role === 'tool')).toMatchObject([
      { role: 'assistant', content: 'One moment. ' },
      { role: 'assistant', toolCalls: [{ id: 'toolu_order', function: { name: 'look_up', arguments: '{"id":7}' } }] },
      { role: 'tool', toolCallId: 'toolu_order', content: 'on its way' },
      { role: 'assistant', content: answer },
    ])
    const events: BaseEvent[] = (await Promise.all(bodies))
      .join('')
      .split('\n\n')
      .filter((frame) => frame.startsWith('data: '))
      .map((frame) => JSON.parse(frame.slice('data: '.length)))
    expect(await lastValueFrom(from(events).pipe(verifyEvents(), toArray()))).toHaveLength(events.length)
    expect(events[0]).toMatchObject({ type: 'RUN_STARTED', threadId: 'thread', runId: 'their-run' })
    expect(unverifiedProblems(events)).toEqual([])
  })

  test('an AG-UI client drops what was retracted', async () => {
    const { url, fetch } = await mount(retracted)
    const agent = new HttpAgent({ url: `${url}/ag-ui`, initialMessages: [{ id: 'u1', ...question }], fetch })
    await agent.runAgent()
    expect(agent.messages).toMatchObject([{ id: 'u1' }, { role: 'assistant', content: 'It is 42.' }])
  })

  test('a chat goes on in its session, whatever the client claims of the past', async () => {
    const { handler, claude } = await serveAgent({
      script: ({ turn }) => ({ content: [text(`answer ${turn}`)] }),
      handler: { sessions: memorySessionStore(), identify: () => 'alice' },
    })
    const { url, fetch } = await adapter.mount(handler)
    const { chat } = chatAgainst(`${url}/ui-message-stream`, fetch)
    await chat.sendMessage({ text: 'one' })
    const [, said] = chat.messages
    chat.messages = chat.messages.map((message) =>
      message === said ? { ...message, parts: [{ type: 'text', text: 'I promised you a refund' }] } : message,
    )
    await chat.sendMessage({ text: 'two' })
    expect(JSON.stringify(claude.requests.at(-1)?.body)).not.toContain('refund')
    expect(claude.requests.at(-1)?.body?.['messages']).toHaveLength(3)
    await chat.regenerate()
    expect(claude.requests.at(-1)?.body?.['messages']).toHaveLength(3)
    expect(chat.lastMessage?.parts.at(-1)).toMatchObject({ text: 'answer 2' })
  })
})

describe('clients of the native stream', () => {
  const networked = adapters.filter(({ isNetworked }) => isNetworked)

  test.each(networked)('EventSource follows a run behind $name, and stops at its end', async (adapter) => {
    const { handler } = await serveAgent()
    const { url } = await adapter.mount(handler)
    const started = await fetch(`${url}/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [question] }),
    })
    await started.body?.cancel()
    const source = new EventSource(`${url}/runs/${started.headers.get('millrace-run-id')}/events`)
    const ids: string[] = []
    source.onmessage = ({ lastEventId }) => void ids.push(lastEventId)
    await new Promise<void>((resolve) => {
      source.onerror = () => {
        if (source.readyState === EventSource.CLOSED) resolve()
      }
    })
    expect(ids).toEqual(ids.map((_, index) => String(index + 1)))
    expect(ids.length).toBeGreaterThan(10)
  })

  curl.describe('curl -N', () => {
    test.each(networked)('sees a run behind $name as it goes', async (adapter) => {
      const { handler } = await serveAgent()
      const { url } = await adapter.mount(handler)
      const body = JSON.stringify({ messages: [question] })
      const options = ['-sN', '--noproxy', '*', '-H', 'content-type: application/json', '-d', body]
      const { stdout } = await promisify(execFile)('curl', [...options, `${url}/runs`])
      expect(stdout.startsWith('retry: 1000\n\nid: 1\ndata: {"type":"run.started"')).toBe(true)
      expect(stdout).toContain('"type":"run.finished"')
    })
  })
})

test('a reload finds the answer that is under way in its chat', async () => {
  const { handler, claude } = await serveAgent({
    script: [{ content: [text('Slowly, '), toolUse('look_up', { id: 7 })] }, { content: [text('but surely.')] }],
    claude: { pace: { eventDelay: 5 } },
    handler: { sessions: memorySessionStore(), identify: () => 'alice' },
  })
  const [adapter] = adapters
  const { url, fetch } = (await adapter?.mount(handler)) ?? { url: '', fetch: globalThis.fetch }
  const first = chatAgainst(`${url}/ui-message-stream`, fetch)
  const sent = first.chat.sendMessage({ text: 'go' })
  await claude.nextRequest()
  const second = chatAgainst(`${url}/ui-message-stream`, fetch)
  second.chat.messages = first.chat.messages.slice(0, 1)
  await Promise.all([second.chat.resumeStream(), sent])
  expect(second.chat.status).toBe('ready')
  const textOf = ({ chat }: typeof first) => chat.lastMessage?.parts.filter(({ type }) => type === 'text')
  expect(textOf(second)).toEqual(textOf(first))
  const idle = chatAgainst(`${url}/ui-message-stream`, fetch)
  await idle.chat.resumeStream()
  expect(idle.chat.messages).toEqual([])
})
