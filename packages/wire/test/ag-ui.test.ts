import { HttpAgent, verifyEvents } from '@ag-ui/client'
import { type BaseEvent, type RunAgentInput } from '@ag-ui/core'
import type { AgentEvent } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import * as fc from 'fast-check'
import { createServer, type Server } from 'node:http'
import { from, lastValueFrom, toArray } from 'rxjs'
import { afterEach, describe, expect, it } from 'vitest'
import { agUiEncoder, readRunAgentInput } from '../src/ag-ui/index.ts'
import { encodeStream } from '../src/index.ts'
import { framesOf, furtherProblems, schemaProblems } from './ag-ui-checks.ts'
import { type ForeignRun, foreignRun, simulate } from './foreign-runs.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

const earlier: RunAgentInput['messages'] = [
  { id: 'u1', role: 'user', content: 'hi' },
  { id: 'a1', role: 'assistant', content: 'hello' },
  { id: 'u2', role: 'user', content: 'look it up' },
]

interface Ran {
  readonly messages: readonly Record<string, unknown>[]
  readonly errors: readonly unknown[]
  readonly posted: unknown
  readonly body: string
}

/** Runs the real client against a server that encodes `events`. */
async function runWith(events: readonly AgentEvent[]): Promise<Ran> {
  let posted: unknown
  let body = ''
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      posted = JSON.parse(Buffer.concat(chunks).toString())
      const { threadId, runId, given } = readRunAgentInput(posted)
      const encoder = agUiEncoder({ threadId, runId, messages: given })
      response.writeHead(200, encoder.headers)
      const batches = (async function* () {
        for (let at = 0; at < events.length; at += 3) yield events.slice(at, at + 3)
      })()
      response.write(encoder.heartbeat())
      for await (const bytes of encodeStream(encoder, batches)) {
        body += new TextDecoder().decode(bytes)
        response.write(bytes)
      }
      response.end()
    })()
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const agent = new HttpAgent({ url: `http://127.0.0.1:${port}/`, threadId: 'thread', initialMessages: [...earlier] })
  const errors: unknown[] = []
  await agent.runAgent(
    { runId: 'their-run' },
    {
      onRunErrorEvent: ({ event }) => void errors.push(event.message),
      onRunFailed: ({ error }) => void errors.push(error.message),
    },
  )
  server.close()
  const messages: unknown = JSON.parse(JSON.stringify(agent.messages))
  return { messages: Array.isArray(messages) ? messages.filter(isRecord) : [], errors, posted, body }
}

async function problemsOf(body: string): Promise<string[]> {
  const frames = framesOf(body)
  const events: BaseEvent[] = JSON.parse(JSON.stringify(frames))
  const verified = await lastValueFrom(from(events).pipe(verifyEvents(), toArray())).then(
    () => [],
    (error: unknown) => [String(error)],
  )
  return [...schemaProblems(frames), ...verified, ...furtherProblems(frames)]
}

/** The texts that the client has of this run, in order; those of earlier ones are known. */
function textsOf(messages: readonly Record<string, unknown>[]): object[] {
  return messages.slice(earlier.length).flatMap(({ role, content }) => {
    const isText = (role === 'assistant' || role === 'reasoning') && typeof content === 'string' && content !== ''
    return isText ? [{ kind: role === 'reasoning' ? 'thinking' : 'text', text: content }] : []
  })
}

const byPlace = (list: readonly object[]): string[] => list.map((entry) => JSON.stringify(entry)).toSorted()

async function expectExact({ events, shown }: ForeignRun): Promise<Ran> {
  const ran = await runWith(events)
  expect(ran.errors).toEqual([])
  expect(await problemsOf(ran.body)).toEqual([])
  expect(ran.messages.slice(0, earlier.length)).toMatchObject(earlier)
  expect(textsOf(ran.messages)).toEqual(shown.filter((each) => each.kind !== 'tool' && each.text !== ''))
  const calls = shown.flatMap((each) => (each.kind === 'tool' ? [{ id: each.id, result: each.result }] : []))
  const found = ran.messages
    .filter(({ role }) => role === 'tool')
    .map(({ toolCallId: id, content: result }) => ({ id, result }))
  expect(byPlace(found)).toEqual(byPlace(calls))
  const asked = ran.messages.flatMap(({ toolCalls }) => (Array.isArray(toolCalls) ? toolCalls.filter(isRecord) : []))
  expect(asked.map(({ id }) => id)).toEqual(calls.map(({ id }) => id))
  return ran
}

describe('HttpAgent', () => {
  it('ends with the exact messages of any run, and every event is as AG-UI wants it', async () => {
    await fc.assert(
      fc.asyncProperty(foreignRun, async (run) => void (await expectExact(run))),
      { numRuns: 60 },
    )
  })

  it('shows progress as an activity, and the result as a message', async () => {
    const { messages } = await expectExact(simulate([{ do: 'call', eager: false }]))
    expect(messages.slice(earlier.length)).toMatchObject([
      { role: 'assistant', toolCalls: [{ id: 'toolu_1', function: { name: 'look_up', arguments: '{"order":1}' } }] },
      { role: 'tool', toolCallId: 'toolu_1', content: 'result of toolu_1\n' },
      {
        id: 'progress:toolu_1',
        role: 'activity',
        activityType: 'tool_progress',
        content: { progress: 1, total: 2, message: 'half\n' },
      },
    ])
  })

  it('retracts text, thinking, a call and its progress, and keeps what was there before', async () => {
    const { messages, body } = await expectExact(
      simulate([
        { do: 'say', kind: 'thinking', parts: ['secret thought'] },
        { do: 'say', kind: 'text', parts: ['withdrawn'] },
        { do: 'call', eager: true },
        { do: 'retract', block: 0, offset: 0 },
        { do: 'say', kind: 'text', parts: ['said'] },
      ]),
    )
    expect(body).toContain('secret thought')
    expect(JSON.stringify(messages)).not.toMatch(/secret thought|withdrawn|toolu_1/)
  })

  it('tells of a failure and of an interrupt', async () => {
    const { events } = simulate([{ do: 'say', kind: 'text', parts: ['so far'] }])
    const last = {
      seq: events.length,
      runId: 'run',
      at: 1,
      stopReason: null,
      usage: { input_tokens: 1, output_tokens: 2 },
      type: 'run.finished',
    } as const
    const failed = await runWith([
      ...events.slice(0, -1),
      { ...last, outcome: 'failed', error: { code: 'overloaded', message: 'Try later', retryable: true } },
    ])
    expect(failed.errors).toContain('Try later')
    expect(await problemsOf(failed.body)).toEqual([])
    const stopped = await runWith([...events.slice(0, -1), { ...last, outcome: 'interrupted' }])
    expect(stopped.errors).toEqual([])
    expect(framesOf(stopped.body).at(-1)).toMatchObject({
      type: 'RUN_FINISHED',
      threadId: 'thread',
      runId: 'their-run',
      outcome: { type: 'cancelled' },
    })
    expect(await problemsOf(stopped.body)).toEqual([])
  })

  it('takes a tool that no block has asked for, and a fallback', async () => {
    const { events } = simulate([{ do: 'call', eager: false }])
    const bare = events.filter(
      ({ type }) => type !== 'tool.input' && type !== 'block.started' && type !== 'block.finished',
    )
    const fallback: AgentEvent = {
      type: 'fallback',
      turn: 1,
      from: 'stream',
      to: 'buffered',
      reason: 'truncated',
      stage: 'before_output',
      seq: 3,
      runId: 'run',
      at: 1,
    }
    const { messages, body } = await runWith([...bare.slice(0, 2), fallback, ...bare.slice(2)])
    expect(messages.at(-2)).toMatchObject({ role: 'tool', content: 'result of toolu_1\n' })
    expect(framesOf(body)).toContainEqual({
      type: 'CUSTOM',
      name: 'millrace.fallback',
      value: { turn: 1, from: 'stream', to: 'buffered', reason: 'truncated', stage: 'before_output' },
    })
    expect(await problemsOf(body)).toEqual([])
  })

  it('uses the ids of the run where the client gave none', () => {
    const { events } = simulate([{ do: 'say', kind: 'text', parts: ['x'] }])
    expect(framesOf(agUiEncoder().encode(events))[0]).toEqual({ type: 'RUN_STARTED', threadId: 'thread', runId: 'run' })
  })
})

describe('the four further checks', () => {
  it.each([
    [['the run has no end'], [{ type: 'RUN_STARTED' }]],
    [
      ['m was opened twice'],
      [
        { type: 'TEXT_MESSAGE_START', messageId: 'm' },
        { type: 'TEXT_MESSAGE_START', messageId: 'm' },
        { type: 'RUN_ERROR' },
      ],
    ],
    [
      ['the result of c has no call', 'c has two results'],
      [
        { type: 'TOOL_CALL_RESULT', toolCallId: 'c' },
        { type: 'TOOL_CALL_START', toolCallId: 'c' },
        { type: 'TOOL_CALL_RESULT', toolCallId: 'c' },
        { type: 'RUN_ERROR' },
      ],
    ],
    [['a delta of a has no snapshot'], [{ type: 'ACTIVITY_DELTA', messageId: 'a' }, { type: 'RUN_ERROR' }]],
  ])('find: %j', (problems, frames) => {
    expect(furtherProblems(frames)).toEqual(problems)
  })
})

describe('readRunAgentInput', () => {
  it('reads what the client posts, and gives back the conversation that it has shown', async () => {
    const run = simulate([
      { do: 'say', kind: 'text', parts: ['One moment.'] },
      { do: 'call', eager: false },
      { do: 'call', eager: false },
      { do: 'turn', ok: true },
      { do: 'say', kind: 'text', parts: ['Done.'] },
    ])
    const { messages, posted } = await runWith(run.events)
    expect(readRunAgentInput(posted)).toMatchObject({ threadId: 'thread', runId: 'their-run', given: earlier })
    const result = (id: string): object => ({ type: 'tool_result', tool_use_id: id, content: `result of ${id}\n` })
    expect(readRunAgentInput({ threadId: 't', runId: 'r', messages }).messages).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'hi' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'hello' }] },
      { role: 'user', content: [{ type: 'text', text: 'look it up' }] },
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

  it('takes images, and leaves out what the API would refuse', () => {
    const content = [
      { type: 'text', text: 'look' },
      { type: 'image', source: { type: 'data', mimeType: 'image/png', value: 'AAAA' } },
      { type: 'image', source: { type: 'url', mimeType: 'image/png', value: 'https://example.com/a.png' } },
      { type: 'audio', source: { type: 'data', mimeType: 'audio/mp3', value: 'AAAA' } },
      { type: 'image' },
    ]
    const call = { id: 'c', type: 'function', function: { name: 'f', arguments: 'no json' } }
    const messages = [
      { id: '1', role: 'system', content: 'be nice' },
      { id: '2', role: 'user', content },
      { id: '3', role: 'assistant', toolCalls: [call, { ...call, id: 'without-result' }, 'nonsense'] },
      { id: '4', role: 'tool', toolCallId: 'c', content: 'r', error: 'failed' },
      { id: '5', role: 'user', content: 7 },
    ]
    expect(readRunAgentInput({ threadId: 't', runId: 'r', messages }).messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'look' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
          { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
        ],
      },
      { role: 'assistant', content: [{ type: 'tool_use', id: 'c', name: 'f', input: {} }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c', content: 'r', is_error: true }] },
    ])
  })

  it.each<[unknown, string | undefined]>([
    [null, undefined],
    [{ runId: 'r', messages: [] }, 'threadId'],
    [{ threadId: 't', messages: [] }, 'runId'],
    [{ threadId: 't', runId: 'r' }, 'messages'],
    [{ threadId: 't', runId: 'r', messages: [{ role: 'user' }] }, 'messages'],
  ])('refuses %j', (body, path) => {
    expect(() => readRunAgentInput(body)).toThrow(expect.objectContaining({ code: 'invalid_input', path }))
  })
})
