import Anthropic from '@anthropic-ai/sdk'
import { type AgentEvent, type FlagClient, flagKeys } from '@millrace/core'
import { demoScript, type ScriptedClaude, startClaude } from '@millrace/testing'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { openVisitor, type Visitor } from './visitor.ts'

/** Creates the sample's app as a listener of a node:http server. */
export type CreateListener = (options: {
  readonly client: Anthropic
  readonly model: string
  readonly secret: string
  readonly flags: FlagClient
}) => RequestListener

interface Chat {
  readonly url: string
  readonly claude: ScriptedClaude
  readonly visitor: Visitor
}

const question = 'Please track order 7'
const found = 'Order 7 is in the delivery van.'

/** Defines the tests that each chat sample with Millrace passes. */
export function testChat(createListener: CreateListener): void {
  const open = (streaming = true): Promise<Chat> => openChat(createListener, streaming)
  testAnswers(open)
  testRuns(open)
}

type Open = (streaming?: boolean) => Promise<Chat>

async function openChat(createListener: CreateListener, streaming: boolean): Promise<Chat> {
  const claude = await startClaude({ script: demoScript })
  const flags: FlagClient = {
    getBooleanDetails: (key, fallback) => ({ value: key === flagKeys.streaming ? streaming : fallback }),
  }
  const client = new Anthropic({ apiKey: 'none', baseURL: claude.url, maxRetries: 0 })
  const server = createServer(createListener({ client, model: 'claude-x', secret: 'ab'.repeat(32), flags }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await claude.close()
  })
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  return { url, claude, visitor: openVisitor(url) }
}

function testAnswers(open: Open): void {
  test('streams a run with the progress of its tool', async () => {
    const { visitor, claude } = await open()
    const events = await visitor.run(question)
    expect(events[0]).toMatchObject({ type: 'run.started', decision: { mode: 'stream' } })
    expect(events.flatMap((event) => (event.type === 'tool.progress' ? [event.message] : []))).toContain('airport')
    expect(textOf(events)).toContain(found)
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
    expect(claude.requests.map(({ stream }) => stream)).toEqual([true, true])
  })

  test('with the flag off, the legacy loop answers both routes', async () => {
    const { visitor, claude } = await open(false)
    const events = await visitor.run(question)
    expect(events[0]).toMatchObject({ decision: { mode: 'legacy' } })
    expect(textOf(events)).toContain(found)
    expect(await visitor.chat(question)).toContain(found)
    expect(claude.requests.map(({ stream }) => stream)).toEqual([false, false, false, false])
  })

  test('with the flag on, the old route answers as before', async () => {
    const { visitor, claude } = await open()
    expect(await visitor.chat(question)).toContain(found)
    expect(claude.requests.map(({ stream }) => stream)).toEqual([true, true])
  })

  test('the legacy loop answers when the API refuses the stream', async () => {
    const { visitor, claude } = await open()
    claude.setFaults([{ kind: 'status', status: 400, stream: true }])
    const events = await visitor.run(question)
    expect(events).toContainEqual(expect.objectContaining({ type: 'fallback', to: 'legacy', reason: 'bad_request' }))
    expect(textOf(events)).toContain(found)
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
    expect(claude.requests.map(({ stream }) => stream)).toEqual([true, false, false])
  })

  test('the legacy loop goes on from a tool that has run', async () => {
    const { visitor, claude } = await open()
    claude.setFaults([{ kind: 'status', status: 400, stream: true, turn: 2 }])
    const events = await visitor.run(question)
    expect(events.filter(({ type }) => type === 'tool.finished')).toHaveLength(1)
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
    expect(claude.requests.map(({ stream }) => stream)).toEqual([true, true, false])
    expect(JSON.stringify(claude.requests.at(-1)?.body?.['messages'])).toContain(found)
  })
}

function testRuns(open: Open): void {
  test('a run can be followed again after each of its events, also one that the legacy loop finished', async () => {
    const { visitor, claude } = await open()
    claude.setFaults([{ kind: 'status', status: 400, stream: true, turn: 2 }])
    const events = await visitor.run(question)
    for (const { seq, runId } of events.slice(0, -1)) {
      expect(bodiesOf(await visitor.follow(runId, seq))).toEqual(bodiesOf(events.slice(seq)))
    }
  })

  test('cancel ends a run and keeps what was said', async () => {
    const { visitor, claude } = await open()
    const events = await visitor.run(question, ({ type, runId }) => type === 'tool.started' && visitor.cancel(runId))
    expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'interrupted' })
    expect(textOf(events)).toBe('Let me use track_order for that.')
    await visitor.run('Hello')
    expect(JSON.stringify(claude.requests.at(-1)?.body?.['messages'])).toContain(textOf(events))
  })

  test('both routes share one conversation, which belongs to one visitor', async () => {
    const { url, visitor, claude } = await open()
    const asked = (): unknown => claude.requests.at(-1)?.body?.['messages']
    await visitor.chat('Hello')
    await visitor.run('Thanks')
    expect(asked()).toMatchObject([{ content: 'Hello' }, { role: 'assistant' }, { content: 'Thanks' }])
    await visitor.chat('Hello again')
    expect(asked()).toMatchObject([{}, {}, {}, { role: 'assistant' }, { content: 'Hello again' }])
    await openVisitor(url).chat('Hello')
    expect(asked()).toEqual([{ role: 'user', content: 'Hello' }])
  })

  test('one answer at a time is added to a conversation', async () => {
    const { visitor } = await open()
    const replies: unknown[] = []
    await visitor.run(question, async ({ type }) => {
      if (type === 'tool.started') replies.push(await visitor.chat('Hello'))
    })
    expect(replies).toEqual([undefined])
    expect(await visitor.chat('Hello')).toBeDefined()
  })
}

/** Without the times, which the wire formats leave out where they hardly change. */
function bodiesOf(events: readonly AgentEvent[]): readonly object[] {
  return events.map(({ at: _at, ...body }) => body)
}

function textOf(events: readonly AgentEvent[]): string {
  return events.map((event) => (event.type === 'text.delta' ? event.text : '')).join('')
}
